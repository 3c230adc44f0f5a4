// What an earlier download may have left of a chunk on the disk. Only leaves with the right hash count.

/// How much of a chunk's range in a file holds data, according to the file system. The rest are holes.
public enum DataPresence: Hashable, Sendable { case none, some, all }

/// A chunk that may be on the disk.
public struct ChunkOnDisk: Sendable {
  public let chunk: ChunkIndex
  /// The chunk's true hash, from a verified page.
  public let hash: Digest
  /// The true hashes of its leaves, if they are known. Then each leaf counts by itself.
  public let leafHashes: [Digest]?
  /// The leaves that the journal claims to be on the disk. Bit 0 is the first.
  public let claimed: UInt64

  public init(_ chunk: ChunkIndex, hash: Digest, leafHashes: [Digest]? = nil, claimed: UInt64 = 0) {
    self.chunk = chunk
    self.hash = hash
    self.leafHashes = leafHashes
    self.claimed = claimed
  }

  /// Whether the chunk is worth reading. A claimed chunk is read even if the file system reports no data for it.
  public func isToBeRead(_ presence: DataPresence) -> Bool {
    claimed != 0 || presence == .all || (presence == .some && leafHashes != nil)
  }

  /// Returns the leaves that have the right hash. Bit 0 is the first leaf.
  /// - `found`: the hashes of all leaves of the chunk, as read from the disk.
  public func verifiedLeaves(_ found: [Digest], in layout: ChunkLayout) -> UInt64 {
    guard let due = leafHashes else {
      return layout.chunkHash(found, of: chunk) == hash ? layout.leaves(of: chunk).mask : 0
    }
    return zip(found, due).enumerated().reduce(0) { mask, leaf in
      leaf.element.0 == leaf.element.1 ? mask | 1 << UInt64(leaf.offset) : mask
    }
  }
}
