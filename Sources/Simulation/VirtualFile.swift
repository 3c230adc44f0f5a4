// A file in two versions: as processes read it, and as it is after a power cut now. They differ by the writes that were
// not synced.
import Content
import Transfer

/// A file with its bytes in the page cache and its bytes on the platter.
final class VirtualFile {
  /// The unit that a power cut keeps or loses: a quarter of a leaf, as a page of a real disk cache is.
  private static let pieceBytes = 4

  /// The bytes that are on the platter when a sync ends: all that were written before it began.
  struct Sync {
    fileprivate let bytes: [UInt8]
    fileprivate let writeCount: Int
  }

  private(set) var bytes: [UInt8]
  private(set) var platter: [UInt8]
  /// Writes that were not synced, in order.
  private var writes: [Range<Int>] = []

  init(byteCount: Int) {
    bytes = Array(repeating: 0, count: byteCount)
    platter = bytes
  }

  func write(_ new: [UInt8], at offset: Int) {
    let end = offset + new.count
    if end > bytes.count { bytes += Array(repeating: 0, count: end - bytes.count) }
    bytes.replaceSubrange(offset..<end, with: new)
    writes.append(offset..<end)
  }

  /// Returns how much of a range holds data. Zeros count as holes here: the file's own bytes are random.
  func presence(_ range: Range<Int>) -> DataPresence {
    var (holes, pieces) = (0, 0)
    for start in stride(
      from: range.lowerBound, to: range.upperBound - VirtualFile.pieceBytes + 1, by: VirtualFile.pieceBytes)
    {
      pieces += 1
      if bytes[start..<start + VirtualFile.pieceBytes].allSatisfy({ $0 == 0 }) { holes += 1 }
    }
    return holes == 0 ? .all : holes == pieces ? .none : .some
  }

  func truncate(to byteCount: Int) { bytes.removeLast(bytes.count - byteCount) }

  /// Changes a byte, on the platter too.
  func rot(_ place: Int) {
    bytes[place] ^= 0x20
    platter[place] ^= 0x20
  }

  // MARK: Syncing

  func beginSync() -> Sync { Sync(bytes: bytes, writeCount: writes.count) }

  func endSync(_ sync: Sync) {
    platter = sync.bytes
    writes.removeFirst(sync.writeCount)
  }

  /// Fails a sync. Some of the writes are on the platter. The rest are lost from memory too: no later sync writes them.
  func failSync(_ sync: Sync, _ generator: inout SeededGenerator) {
    platter = torn(writes[..<sync.writeCount], of: sync.bytes, &generator)
    var left = platter
    writes.removeFirst(sync.writeCount)
    for write in writes {
      if write.upperBound > left.count { left += Array(repeating: 0, count: write.upperBound - left.count) }
      left.replaceSubrange(write, with: bytes[write])
    }
    bytes = left
  }

  // MARK: Power

  func losePower(_ generator: inout SeededGenerator) {
    platter = torn(writes[...], of: bytes, &generator)
    bytes = platter
    writes = []
  }

  /// Returns what a disk keeps of unsynced writes: any of their pieces, in any order. Where the file grew, any bytes.
  private func torn(_ writes: ArraySlice<Range<Int>>, of bytes: [UInt8], _ generator: inout SeededGenerator) -> [UInt8]
  {
    var after = platter
    if bytes.count > after.count {
      let count = generator.pick([bytes.count, Int.random(in: after.count...bytes.count, using: &generator)])
      let isGarbage = generator.chance(0.5)
      for _ in after.count..<count { after.append(isGarbage ? UInt8(truncatingIfNeeded: generator.next()) : 0) }
    } else if bytes.count < after.count, generator.chance(0.5) {
      after.removeLast(after.count - bytes.count)
    }
    let survival = generator.pick([0, 0.3, 0.7, 0.95, 1])
    for write in writes {
      for start in stride(from: write.lowerBound, to: write.upperBound, by: VirtualFile.pieceBytes)
      where generator.chance(survival) {
        let end = min(start + VirtualFile.pieceBytes, write.upperBound, after.count, bytes.count)
        if start < end { after.replaceSubrange(start..<end, with: bytes[start..<end]) }
      }
    }
    return after
  }
}
