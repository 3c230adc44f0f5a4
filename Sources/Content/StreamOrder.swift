// The order in which the bytes of a content go out through a stream.

/// Puts the wanted leaves of a content in order, whatever order they arrive in. A leaf that arrives twice, from two
/// peers, goes out once. A leaf that is not wanted never goes out, and no other leaf waits for it.
public struct StreamOrder: Sendable {
  /// A leaf that goes out now.
  public struct Leaf: Sendable {
    /// Where the leaf begins in the content, in bytes.
    public let offset: UInt64
    public let bytes: [UInt8]
    /// Where the next wanted leaf begins. After the last one, the length of the content.
    public let next: UInt64
  }

  private let layout: ChunkLayout
  private let wanted: WantedLeaves
  /// Where the next wanted leaf that has not gone out begins. After the last one, the length of the content.
  public private(set) var next: UInt64 = 0
  /// Leaves that arrived before their turn, by offset.
  private var waiting: [UInt64: [UInt8]] = [:]
  /// Used only if some leaves are not wanted: the chunk of the next leaf, and its wanted leaves from that leaf on.
  private var chunk: UInt32 = 0
  private var rest: UInt64 = 0

  public init(_ layout: ChunkLayout, wanted: WantedLeaves = .all) {
    self.layout = layout
    self.wanted = wanted
    guard !wanted.isAll else { return }
    rest = wantedLeaves(of: 0)
    findNext()
  }

  /// Takes whole wanted leaves that are neighbours in the content. Returns the leaves that go out now, in order.
  /// - `copy`: returns a range of the given bytes. It is called only for leaves that have not arrived before.
  public mutating func put(_ byteCount: Int, at offset: UInt64, copy: (Range<Int>) -> [UInt8]) -> [Leaf] {
    var begin = 0
    // Bytes of several files: no leaf spans two files.
    for part in layout.folder.map({ $0.runs(at: offset, count: byteCount).map(\.count) }) ?? [byteCount] {
      for start in stride(from: begin, to: begin + part, by: layout.leafSize) {
        let at = offset + UInt64(start)
        guard at >= next, waiting[at] == nil else { continue }
        waiting[at] = copy(start..<min(start + layout.leafSize, begin + part))
      }
      begin += part
    }
    var leaving: [Leaf] = []
    while let bytes = waiting.removeValue(forKey: next) {
      let at = next
      pass(bytes.count)
      leaving.append(Leaf(offset: at, bytes: bytes, next: next))
    }
    return leaving
  }

  /// Moves on from the leaf that goes out now to the next wanted one.
  private mutating func pass(_ byteCount: Int) {
    if wanted.isAll { return next += UInt64(byteCount) }
    rest &= rest - 1
    findNext()
  }

  private mutating func findNext() {
    while rest == 0, Int(chunk) < layout.chunkCount {
      chunk += 1
      rest = wantedLeaves(of: chunk)
    }
    next =
      rest == 0 ? layout.fileLength : layout.offset(ofLeaf: rest.trailingZeroBitCount, in: ChunkIndex(chunk))
  }

  /// 0 after the last chunk.
  private func wantedLeaves(of chunk: UInt32) -> UInt64 {
    guard Int(chunk) < layout.chunkCount else { return 0 }
    return layout.leaves(of: ChunkIndex(chunk)).mask & wanted.mask(of: ChunkIndex(chunk))
  }
}
