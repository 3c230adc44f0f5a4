// The verified leaf hashes of one chunk. Every leaf that arrives is compared with them.

/// Why leaf hashes do not belong to the chunk. Each is the fault of the peer that sent them.
public enum LeafHashesFault: Error, Hashable {
  case noSuchChunk
  case wrongCount(Int)
  case notThisChunk
}

/// All leaf hashes of a chunk, verified against the chunk's hash.
public struct LeafHashes: Hashable, Sendable {
  public let layout: ChunkLayout
  public let chunk: ChunkIndex
  /// One hash for each leaf that holds bytes: 1…64.
  public let hashes: [Digest]

  /// Takes leaf hashes from a peer, any number of them, and verifies them against the chunk's known hash.
  public init(
    verifying hashes: [Digest], of chunk: ChunkIndex, hash: Digest, in layout: ChunkLayout
  ) throws(LeafHashesFault) {
    guard layout.contains(chunk) else { throw .noSuchChunk }
    guard hashes.count == layout.leafCount(of: chunk) else { throw .wrongCount(hashes.count) }
    guard layout.chunkHash(hashes, of: chunk) == hash else { throw .notThisChunk }
    self.layout = layout
    self.chunk = chunk
    self.hashes = hashes
  }

  /// Whether bytes are exactly a run of the chunk's leaves: the right length, and the right hash for each leaf.
  ///
  /// Takes any number of bytes. The run need not lie within the chunk.
  public func match(_ bytes: RawSpan, at leaves: LeafRange) -> Bool {
    guard leaves.end <= hashes.count, bytes.byteCount == layout.length(of: leaves, in: chunk) else { return false }
    return layout.leafHashes(bytes, from: leaves.first, of: chunk).elementsEqual(hashes[leaves.first..<leaves.end])
  }
}
