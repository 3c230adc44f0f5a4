// Files that changed shortly before they were hashed. A file system stamps a change with the time of its last tick, so a
// file that changes twice within a tick seems to have changed once: its leaves are hashed again before they are sent.
import Content
import Posix
import Synchronization

/// The leaves of young files that are known to be right, since they were hashed again when the file was old.
final class YoungFiles: Sendable {
  /// The ticks of all file systems are shorter: those of FAT, the longest ones, take two seconds.
  static let seconds: Int64 = 2

  /// A bit for each leaf, 64 in a word, of files that were read.
  private let checked = Mutex<[Int64: [UInt64]]>([:])
  let now: @Sendable () -> FileTime

  init(now: @escaping @Sendable () -> FileTime) { self.now = now }

  func isChecked(_ leaves: Range<Int>, of entry: CatalogueEntry) -> Bool {
    checked.withLock { checked in
      guard let words = checked[entry.hashes.number] else { return false }
      return leaves.allSatisfy { words[$0 / 64] & 1 << UInt64($0 % 64) != 0 }
    }
  }

  /// The leaves are what was hashed. If the file is not young any more, its times would tell of a later change.
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
  /// Compares leaves of a young file with their hashes. If they differ, throws `changed` and forgets what the file hashed
  /// to, so that it is hashed anew although it seems to be the same.
  /// - `offset`: of the first leaf in the file. All leaves are of one chunk.
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
