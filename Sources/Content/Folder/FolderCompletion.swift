// Which files of a folder are complete, as their leaves are verified.

/// Counts the files of a folder that are complete: files all of whose wanted leaves are verified. Files without wanted
/// leaves do not count, so neither do files without bytes.
///
/// In memory are four bytes for each file with chunks of its own. For files that share a chunk, the verified leaves of
/// the chunk say enough.
public struct FolderCompletion: Sendable {
  private let layout: FolderLayout
  /// For each large file, its chunks that have wanted leaves and are not complete.
  private var chunksLeft: [UInt32]
  /// Files with wanted leaves.
  public private(set) var fileCount = 0
  /// Those that are complete.
  public private(set) var completeCount = 0

  /// No leaf is verified yet.
  /// - `due`: the wanted leaves of a chunk, and no other bits; nil: all leaves are wanted.
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

  /// Leaves of a chunk are verified. Returns the numbers of the entries that this completes.
  /// - `new`: not verified before.
  /// - `before`: all that were.
  /// - `due`: as at the beginning.
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
  /// The files that share a chunk: their entries, and which leaves of the chunk are theirs.
  fileprivate func forEachFile(sharing chunk: ChunkIndex, _ body: (UInt32, UInt64) -> Void) {
    var first = 0
    for place in places(sharing: chunk) {
      let count = leafCount(ofBytes: UInt64(smallLengths[place]))
      body(smallFiles[place], LeafRange(first: first, count: count).mask)
      first += count
    }
  }
}
