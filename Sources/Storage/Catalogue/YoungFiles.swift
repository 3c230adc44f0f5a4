// Files that changed shortly before they were hashed. A file system stamps a change with the time of its last clock
// tick, so two changes within one tick look like one. Such a file's leaves are therefore hashed again before they are
// sent.
import Content
import Posix
import Synchronization

/// The leaves of young files that were hashed again when the file was old, and were right.
final class YoungFiles: Sendable {
  /// Longer than a clock tick of any file system. FAT has the longest tick, two seconds.
  static let seconds: Int64 = 2

  /// For each file that was read, by the number of its hashes: one bit for each leaf, 64 in a word.
  private let checked = Mutex<[Int64: [UInt64]]>([:])
  let now: @Sendable () -> FileTime

  init(now: @escaping @Sendable () -> FileTime) { self.now = now }

  func isChecked(_ leaves: Range<Int>, of entry: CatalogueEntry) -> Bool {
    checked.withLock { checked in
      guard let words = checked[entry.hashes.number] else { return false }
      return leaves.allSatisfy { words[$0 / 64] & 1 << UInt64($0 % 64) != 0 }
    }
  }

  /// Records that the leaves match their hashes, if the file is old by now. Then a later change would show in its
  /// times.
  func check(_ leaves: Range<Int>, of entry: CatalogueEntry, leafCount: Int) {
    guard entry.status.isOld(seconds: YoungFiles.seconds, at: now()) else { return }
    checked.withLock { checked in
      var words = checked.removeValue(forKey: entry.hashes.number) ?? Array(repeating: 0, count: (leafCount + 63) / 64)
      for leaf in leaves { words[leaf / 64] |= 1 << UInt64(leaf % 64) }
      checked[entry.hashes.number] = words
    }
  }

  func forget(_ entry: CatalogueEntry) {
    if entry.hashes.isYoung { checked.withLock { $0[entry.hashes.number] = nil } }
  }
}

extension Catalogue {
  /// Compares leaves of a young file with their hashes. If they differ, throws `changed` and forgets the file's hashes,
  /// so that the file is hashed again although its status is the same.
  /// - `offset`: the first leaf's offset in the file. All leaves are in one chunk.
  public func checkYoung(_ entry: CatalogueEntry, at offset: UInt64, _ bytes: RawSpan) throws(StoredFileError) {
    guard entry.hashes.isYoung, bytes.byteCount > 0 else { return }
    let layout = entry.layout
    let first = Int(offset / UInt64(layout.leafSize))
    let leaves = first..<first + (bytes.byteCount + layout.leafSize - 1) / layout.leafSize
    if young.isChecked(leaves, of: entry) { return }
    let chunk = ChunkIndex(UInt32(offset / UInt64(layout.chunkSize)))
    let due: [Digest]
    do throws(Errno) { due = try leafHashes(of: chunk, entry).hashes } catch { throw StoredFileError(reading: error) }
    let start = first % layout.leavesPerChunk
    guard MerkleTree.leafHashes(bytes, leafSize: layout.leafSize) == Array(due[start..<start + leaves.count]) else {
      try? store.remove(entry.hashes.number)
      throw .changed(path: entry.path)
    }
    young.check(
      leaves, of: entry, leafCount: Int((layout.fileLength + UInt64(layout.leafSize) - 1) / UInt64(layout.leafSize)))
  }
}
