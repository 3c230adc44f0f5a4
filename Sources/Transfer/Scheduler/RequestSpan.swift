// The leaves that one request asks for. Small gaps of unneeded leaves do not split a request.
import Content

extension ChunkLayout {
  /// Returns the leaves to request at once: the longest run from the first needed leaf to another needed leaf in which
  /// at least half of the bytes are needed. Leaves between needed ones come too, because another request costs a round
  /// trip. Nil if no available leaf is needed.
  /// - `needed`: leaves of the chunk, bit 0 the first.
  /// - `available`: leaves that may be requested. The run contains no other leaves.
  func requestSpan(needed: UInt64, available: UInt64 = .max, of chunk: ChunkIndex) -> LeafRange? {
    let wanted = needed & available
    guard wanted != 0 else { return nil }
    let first = wanted.trailingZeroBitCount
    let reach = LeafRange(first: first, count: min(64 - first, (~(available >> UInt64(first))).trailingZeroBitCount))
    let reachable = (wanted & reach.mask) >> UInt64(first)
    let runLength = (~reachable).trailingZeroBitCount
    // Mostly there is no gap, and then the lengths of the leaves are not needed.
    if reachable.nonzeroBitCount == runLength { return LeafRange(first: first, count: runLength) }
    let lengths = leafLengths(of: chunk)
    var (spanBytes, neededBytes, end) = (0, 0, first)
    for leaf in first..<min(reach.end, lengths.count) {
      spanBytes += lengths[leaf]
      guard wanted & 1 << UInt64(leaf) != 0 else { continue }
      neededBytes += lengths[leaf]
      if neededBytes * 2 >= spanBytes { end = leaf + 1 }
    }
    return LeafRange(first: first, count: end - first)
  }
}
