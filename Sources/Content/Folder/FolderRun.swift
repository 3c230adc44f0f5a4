// Translates a range of a folder's contents into ranges of files, and back.

/// A range of bytes of one file.
public struct FolderRun: Hashable, Sendable {
  /// The number of the file's entry in the listing.
  public let entry: Int
  /// Where the bytes begin in the file.
  public let offset: UInt64
  /// Bytes, at least 1.
  public let count: Int
}

extension FolderLayout {
  /// Returns the file ranges that a range of the contents consists of, in order. The range must lie within the
  /// contents.
  public func runs(at offset: UInt64, count: Int) -> [FolderRun] {
    precondition(count >= 0 && offset <= listing.contentsLength, "a run lies within the contents")
    precondition(UInt64(count) <= listing.contentsLength - offset, "a run lies within the contents")
    var runs: [FolderRun] = []
    var (at, left) = (offset, count)
    let sharedEnd = sharedOffsets.last ?? 0
    if left > 0, at < sharedEnd { appendShared(&runs, &at, &left) }
    guard left > 0 else { return runs }
    var place = largeFiles.lastPlace { $0.offset <= at }
    while left > 0 {
      let file = largeFiles[place]
      let run = Int(min(UInt64(left), file.offset + file.length - at))
      runs.append(FolderRun(entry: Int(file.entry), offset: at - file.offset, count: run))
      at += UInt64(run)
      left -= run
      place += 1
    }
    return runs
  }

  private func appendShared(_ runs: inout [FolderRun], _ at: inout UInt64, _ left: inout Int) {
    let from = at
    let chunk = sharedOffsets.lastPlace { $0 <= from }
    var start = sharedOffsets[chunk]
    var place = Int(sharedStarts[chunk])
    while left > 0, place < smallLengths.count {
      let end = start + UInt64(smallLengths[place])
      if at < end {
        let run = Int(min(UInt64(left), end - at))
        runs.append(FolderRun(entry: Int(smallFiles[place]), offset: at - start, count: run))
        at += UInt64(run)
        left -= run
      }
      start = end
      place += 1
    }
  }

  /// Returns the chunks that hold bytes of a file, in order, and which of their leaves do. Empty for an empty file.
  /// - `entry`: the number of an entry that is a file.
  public func places(ofFile entry: Int) -> [(chunk: ChunkIndex, leaves: UInt64)] {
    let length = listing.fileLength(of: entry)
    guard length > 0 else { return [] }
    if length > UInt64(chunkSize) {
      let file = largeFiles[largeFiles.lastPlace { $0.entry <= entry }]
      return (file.firstChunk..<file.firstChunk + file.chunkCount).map { chunk in
        let bytes = min(UInt64(chunkSize), length - UInt64(chunk - file.firstChunk) * UInt64(chunkSize))
        return (ChunkIndex(chunk), LeafRange(first: 0, count: leafCount(ofBytes: bytes)).mask)
      }
    }
    let place = smallFiles.lastPlace { $0 <= entry }
    let chunk = sharedChunk(ofPlace: place)
    var first = 0
    for other in smallFiles[Int(sharedStarts[chunk])..<place] {
      first += leafCount(ofBytes: listing.fileLength(of: Int(other)))
    }
    let leaves = LeafRange(first: first, count: leafCount(ofBytes: length))
    return [(ChunkIndex(UInt32(chunk)), leaves.mask)]
  }

  /// Returns where a file's bytes begin in the contents.
  /// - `entry`: the number of an entry that is a file and not empty.
  public func offset(ofFile entry: Int) -> UInt64 {
    let length = listing.fileLength(of: entry)
    precondition(length > 0, "an empty file has no place in the contents")
    if length > UInt64(chunkSize) { return largeFiles[largeFiles.lastPlace { $0.entry <= entry }].offset }
    let place = smallFiles.lastPlace { $0 <= entry }
    let chunk = sharedChunk(ofPlace: place)
    return smallFiles[Int(sharedStarts[chunk])..<place].reduce(sharedOffsets[chunk]) {
      $0 + listing.fileLength(of: Int($1))
    }
  }

  /// Returns the shared chunk of an index in `smallFiles`. The last value of `sharedStarts` does not belong to a chunk.
  private func sharedChunk(ofPlace place: Int) -> Int { min(sharedStarts.lastPlace { $0 <= place }, sharedCount - 1) }
}
