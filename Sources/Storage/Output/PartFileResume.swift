// Finds what an earlier download left in a part file. Only bytes whose hashes match are trusted.
import Content
import Posix
import Synchronization

extension PartFile {
  /// Returns the verified leaves, as `PartStorage` says. Reads only where the file system has data or the journal has
  /// claims.
  public func verifiedLeaves(
    of chunks: [ChunkOnDisk], in layout: ChunkLayout, threads: Int = Thread.processorCount,
    shouldStop: @escaping @Sendable () -> Bool = { false }
  ) throws(PartFileError) -> [(chunk: ChunkIndex, mask: UInt64)] {
    precondition(layout.fileLength == length, "the layout is this file's")
    precondition(chunks.allSatisfy { layout.contains($0.chunk) }, "no such chunk")
    return try LeafSearch.found(chunks, threads: threads, shouldStop) { known, buffer throws(PartFileError) in
      try self.verifiedMask(of: known, in: layout, &buffer)
    }
  }

  /// Returns whether the file system holds data for all, some or none of a range. All, if it cannot tell.
  fileprivate func presence(_ offset: UInt64, _ count: Int) throws(PartFileError) -> DataPresence {
    let end = offset + UInt64(count)
    do throws(Errno) {
      guard let data = try file.nextData(from: offset), data.lowerBound < end else { return .none }
      return data.lowerBound == offset && data.upperBound >= end ? .all : .some
    } catch {
      if error.code == Errno.invalid { return .all }
      throw .io(error)
    }
  }

  /// Returns the mask of a chunk's right leaves.
  fileprivate func verifiedMask(
    of known: ChunkOnDisk, in layout: ChunkLayout, _ buffer: inout [UInt8]
  ) throws(PartFileError) -> UInt64 {
    let start = layout.offset(of: known.chunk)
    let length = layout.length(of: known.chunk)
    guard known.isToBeRead(try presence(start, length)) else { return 0 }
    var leafHashes: [Digest] = []
    for leaves in layout.runs(of: known.chunk, byteCountMax: ParallelHash.bufferBytes) {
      let wanted = layout.length(of: leaves, in: known.chunk)
      var span = buffer.mutableSpan
      var bytes = span.mutableBytes
      try read(at: layout.offset(ofLeaf: leaves.first, in: known.chunk), count: wanted, into: &bytes)
      leafHashes += layout.leafHashes(bytes.bytes.extracting(first: wanted), from: leaves.first, of: known.chunk)
    }
    return known.verifiedLeaves(leafHashes, in: layout)
  }
}
