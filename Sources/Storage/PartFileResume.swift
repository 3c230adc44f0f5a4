// What an earlier download left in a part file, believed only as far as it hashes.
import Content
import Posix

extension PartFile {
  /// The chunks, of a run that begins with `first`, whose bytes are all there and hash to what they should. `hashes` are
  /// the run's true chunk hashes, as of a verified page. Reads only where the file system has data.
  ///
  /// May run on several threads at once, each with its own run. What was found so far is returned soon after `shouldStop`
  /// says so.
  public func verifiedChunks(
    from first: ChunkIndex, hashes: [Digest], in layout: ChunkLayout, shouldStop: () -> Bool = { false }
  ) throws(PartFileError) -> [ChunkIndex] {
    precondition(layout.fileLength == length, "the layout is this file's")
    precondition(Int(first.rawValue) + hashes.count <= layout.chunkCount, "no such chunk")
    var verified: [ChunkIndex] = []
    var buffer = [UInt8](repeating: 0, count: ParallelHash.bufferBytes)
    for (i, hash) in hashes.enumerated() where !shouldStop() {
      let chunk = ChunkIndex(first.rawValue + UInt32(i))
      guard try hasData(layout.offset(of: chunk), layout.length(of: chunk)) else { continue }
      if try chunkHash(chunk, in: layout, &buffer) == hash { verified.append(chunk) }
    }
    return verified
  }

  /// Whether the file system has bytes for the whole range, or does not know.
  private func hasData(_ offset: UInt64, _ count: Int) throws(PartFileError) -> Bool {
    do throws(Errno) {
      guard let data = try file.nextData(from: offset) else { return false }
      return data.lowerBound == offset && data.upperBound >= offset + UInt64(count)
    } catch {
      if error.code == Errno.invalid { return true }
      throw .io(error)
    }
  }

  private func chunkHash(
    _ chunk: ChunkIndex, in layout: ChunkLayout, _ buffer: inout [UInt8]
  ) throws(PartFileError) -> Digest {
    let start = layout.offset(of: chunk)
    let length = layout.length(of: chunk)
    var leafHashes: [Digest] = []
    for piece in stride(from: 0, to: length, by: ParallelHash.bufferBytes) {
      let wanted = min(ParallelHash.bufferBytes, length - piece)
      var span = buffer.mutableSpan
      var bytes = span.mutableBytes
      try read(at: start + UInt64(piece), count: wanted, into: &bytes)
      leafHashes += MerkleTree.leafHashes(bytes.bytes.extracting(first: wanted), leafSize: layout.leafSize)
    }
    return MerkleTree.chunkHash(leafHashes, in: layout)
  }
}
