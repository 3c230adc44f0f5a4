// The binary hash tree of BEP 52 over a file's leaves. It has three storeys: leaves, chunks, root.

/// The arithmetic of the tree. A *level* is counted from the leaves: a node of level n covers 2^n leaves.
///
/// A leaf is hashed at its true length. A missing leaf counts as 32 zero bytes. In a file of several chunks, the last
/// chunk is filled up with missing leaves, and the row of chunks is filled up to a power of two with chunks of missing
/// leaves. A file of one chunk is filled up only to its own power of two, so the chunk's hash is the root.
///
/// Source: BEP 52, "pieces root"; `Protocol/README.md`, "Content identifiers".
public enum MerkleTree {
  /// The highest level that a tree can have: the most chunks a file can have, of 64 leaves each.
  public static let levelMax = (ChunkLayout.chunkCountMax * 64).trailingZeroBitCount

  /// Returns the hash of a leaf, from its bytes without padding.
  public static func leafHash(_ bytes: RawSpan) -> Digest { Digest(sha256: bytes) }

  /// Returns the hashes of the leaves of one chunk, or of a run of its leaves that starts at a leaf's first byte.
  public static func leafHashes(_ bytes: RawSpan, leafSize: Int) -> [Digest] {
    precondition(leafSize > 0, "a leaf holds bytes")
    var lengths = [Int](repeating: leafSize, count: bytes.byteCount / leafSize)
    if bytes.byteCount % leafSize > 0 { lengths.append(bytes.byteCount % leafSize) }
    return SHA256Lanes.hashes(of: bytes, lengths: lengths)
  }

  /// Returns the hash over two neighbours of one level.
  public static func node(_ left: Digest, _ right: Digest) -> Digest {
    let pair: [8 of UInt64] = [
      left.words.0.bigEndian, left.words.1.bigEndian, left.words.2.bigEndian, left.words.3.bigEndian,
      right.words.0.bigEndian, right.words.1.bigEndian, right.words.2.bigEndian, right.words.3.bigEndian,
    ]
    return Digest(sha256: pair.span.bytes)
  }

  /// Returns the node of a level that covers only missing leaves: 32 zero bytes at level 0.
  public static func padding(level: Int) -> Digest { paddingByLevel[level] }

  /// Returns the node over a row of nodes of `level`. The row is filled up with padding to `width`, a power of two.
  public static func node(over row: some Collection<Digest>, level: Int, width: Int) -> Digest {
    precondition(width > 0 && width & (width - 1) == 0 && row.count <= width, "a row fits a power of two")
    guard !row.isEmpty else { return padding(level: level + width.trailingZeroBitCount) }
    var nodes = Array(row)
    var level = level
    var width = width
    while width > 1 {
      nodes = parents(of: nodes, level: level)
      level += 1
      width /= 2
    }
    return nodes[0]
  }

  /// Returns the next level: half as many nodes. If the number is odd, the last node is paired with padding.
  static func parents(of nodes: [Digest], level: Int) -> [Digest] {
    var parents: [Digest] = []
    parents.reserveCapacity((nodes.count + 1) / 2)
    for left in stride(from: 0, to: nodes.count, by: 2) {
      parents.append(node(nodes[left], left + 1 < nodes.count ? nodes[left + 1] : padding(level: level)))
    }
    return parents
  }

  /// Returns the smallest power of two that is at least `count`; 1 for 0.
  public static func powerOfTwo(atLeast count: Int) -> Int {
    var width = 1
    while width < count { width *= 2 }
    return width
  }

  /// Returns the hash of a chunk, from the hashes of all its leaves that hold bytes.
  public static func chunkHash(_ leafHashes: some Collection<Digest>, in layout: ChunkLayout) -> Digest {
    precondition(!leafHashes.isEmpty && leafHashes.count <= layout.leavesPerChunk, "a chunk has its leaves")
    let width = layout.chunkCount == 1 ? powerOfTwo(atLeast: leafHashes.count) : layout.leavesPerChunk
    return node(over: leafHashes, level: 0, width: width)
  }

  /// Returns the root of a file, from the hashes of all its chunks; 32 zero bytes for an empty file.
  public static func root(_ chunkHashes: some Collection<Digest>, in layout: ChunkLayout) -> Digest {
    precondition(chunkHashes.count == layout.chunkCount, "a root stands over all chunks")
    guard layout.chunkCount > 0 else { return .zero }
    return node(over: chunkHashes, level: layout.chunkLevel, width: powerOfTwo(atLeast: layout.chunkCount))
  }

  private static let paddingByLevel: [Digest] = {
    var row = [Digest.zero]
    for level in 0..<levelMax { row.append(node(row[level], row[level])) }
    return row
  }()
}

extension ChunkLayout {
  /// The level of a full chunk's hash in the tree: 6 on the wire.
  var chunkLevel: Int { leavesPerChunk.trailingZeroBitCount }
}
