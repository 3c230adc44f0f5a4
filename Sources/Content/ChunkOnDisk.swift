// What an earlier download may have left of a chunk, and how much of it counts: only what hashes to what it should.

/// How much of a chunk's place in a file is more than a hole.
public enum DataPresence: Hashable, Sendable { case none, some, all }

/// A chunk that may be on the disk, and what is known of it.
public struct ChunkOnDisk: Sendable {
  public let chunk: ChunkIndex
  /// The chunk's true hash, as of a verified page.
  public let hash: Digest
  /// The true hashes of its leaves, where they are known: then leaves count one by one.
  public let leafHashes: [Digest]?
  /// Leaves that the journal claims to be there; bit 0 the first.
  public let claimed: UInt64

  public init(_ chunk: ChunkIndex, hash: Digest, leafHashes: [Digest]? = nil, claimed: UInt64 = 0) {
    self.chunk = chunk
    self.hash = hash
    self.leafHashes = leafHashes
    self.claimed = claimed
  }

  /// Whether its bytes are worth hashing. What was claimed is looked at also where the file system knows of nothing.
  public func isToBeRead(_ presence: DataPresence) -> Bool {
    claimed != 0 || presence == .all || (presence == .some && leafHashes != nil)
  }

  /// The leaves that count, bit 0 the first: `found` are the hashes of the leaves that were read, all of the chunk's.
  public func verifiedLeaves(_ found: [Digest], in layout: ChunkLayout) -> UInt64 {
    guard let due = leafHashes else {
      return layout.chunkHash(found, of: chunk) == hash ? layout.leaves(of: chunk).mask : 0
    }
    return zip(found, due).enumerated().reduce(0) { mask, leaf in
      leaf.element.0 == leaf.element.1 ? mask | 1 << UInt64(leaf.offset) : mask
    }
  }
}
