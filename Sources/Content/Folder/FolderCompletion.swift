// Counts which files of a folder are complete, as their leaves are verified.

/// Counts the complete files of a folder. A file is complete when all its wanted leaves are verified. Files without
/// wanted leaves are not counted, and so empty files are not.
///
/// Keeps four bytes for each file with chunks of its own. For files that share a chunk, the caller passes the verified
/// leaves.
public struct FolderCompletion: Sendable {
  private let layout: FolderLayout
  /// For each large file, the number of its chunks that have wanted leaves and are not complete.
  private var chunksLeft: [UInt32]
  /// Files with wanted leaves.
  public private(set) var fileCount = 0
  /// Complete files with wanted leaves.
  public private(set) var completeCount = 0

  /// Starts with no verified leaf.
  /// - `due`: returns the wanted leaves of a chunk, and no other bits. Nil: all leaves are wanted.
  public init(_ layout: FolderLayout, due: ((ChunkIndex) -> UInt64)?) {
    self.layout = layout
    guard let due else {
      chunksLeft = layout.largeFiles.map(\.chunkCount)
      fileCount = layout.largeFiles.count + layout.smallFiles.count
      return
    }
    chunksLeft = layout.largeFiles.map { file in
      UInt32((file.firstChunk..<file.firstChunk + file.chunkCount).count { due(ChunkIndex($0)) != 0 })
    }
    fileCount = chunksLeft.count { $0 > 0 }
    for chunk in layout.sharedChunks {
      let due = due(chunk)
      layout.forEachFile(sharing: chunk) { _, leaves in if leaves & due != 0 { fileCount += 1 } }
    }
  }

  /// Counts newly verified leaves of a chunk. Returns the numbers of the entries that are complete now.
  /// - `new`: leaves that were not verified before.
  /// - `before`: all leaves of the chunk that were verified before.
  /// - `due`: the chunk's wanted leaves, as given to `init`.
  public mutating func verified(
    _ new: UInt64, of chunk: ChunkIndex, before: UInt64, due: UInt64
  ) -> [UInt32] {
    guard new & due != 0 else { return [] }
    let missing = due & ~before & ~new
    guard layout.isShared(chunk) else {
      guard missing == 0 else { return [] }
      let place = layout.largeFiles.lastPlace { $0.firstChunk <= chunk.rawValue }
      chunksLeft[place] -= 1
      guard chunksLeft[place] == 0 else { return [] }
      completeCount += 1
      return [layout.largeFiles[place].entry]
    }
    var complete: [UInt32] = []
    layout.forEachFile(sharing: chunk) { entry, leaves in
      if leaves & due & new != 0, leaves & missing == 0 { complete.append(entry) }
    }
    completeCount += complete.count
    return complete
  }
}

extension FolderLayout {
  /// Calls `body` for each file that shares a chunk, with the file's entry and the file's leaves of the chunk.
  fileprivate func forEachFile(sharing chunk: ChunkIndex, _ body: (UInt32, UInt64) -> Void) {
    var first = 0
    for place in places(sharing: chunk) {
      let count = leafCount(ofBytes: UInt64(smallLengths[place]))
      body(smallFiles[place], LeafRange(first: first, count: count).mask)
      first += count
    }
  }
}
