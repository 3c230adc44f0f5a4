// How a file is cut: chunks of one size (the last one shorter), each cut into leaves of one size.

/// The position of a chunk in its file, from 0.
public struct ChunkIndex: RawRepresentable, Hashable, Comparable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  public static func < (a: ChunkIndex, b: ChunkIndex) -> Bool { a.rawValue < b.rawValue }
}

/// A run of leaves inside one chunk. Never empty; at most 64 leaves.
public struct LeafRange: Hashable, Sendable {
  /// The first leaf, counted from the start of the chunk.
  public let first: Int
  /// How many leaves, at least 1.
  public let count: Int
  /// The leaf after the last.
  public var end: Int { first + count }

  public init(first: Int, count: Int) {
    precondition(first >= 0 && count >= 1 && first + count <= 64, "a leaf range lies within a chunk")
    self.first = first
    self.count = count
  }

  /// One bit a leaf, bit 0 the first leaf of the chunk.
  public var mask: UInt64 { (count == 64 ? UInt64.max : (1 << UInt64(count)) - 1) << UInt64(first) }
}

/// How a file of one length is cut into chunks and leaves. The wire fixes 1 MiB and 16 KiB; a simulation may cut finer.
public struct ChunkLayout: Hashable, Sendable {
  /// The file's length in bytes.
  public let fileLength: UInt64
  /// Bytes of a full chunk: a power of two times `leafSize`, at most 64 leaves.
  public let chunkSize: Int
  /// Bytes of a full leaf.
  public let leafSize: Int
  /// Chunks in the file; 0 for an empty file.
  public let chunkCount: Int

  /// Bytes of a chunk on the wire: 1 MiB.
  public static let wireChunkSize = 1 << 20
  /// Bytes of a leaf on the wire: 16 KiB (BEP 52).
  public static let wireLeafSize = 1 << 14
  /// The most chunks a file can have: 2^20, so 1 TiB at 1 MiB.
  public static let chunkCountMax = 1 << 20

  /// How the empty file is cut: into no chunk.
  public static let ofEmptyFile = ChunkLayout(
    bounded: 0, ChunkLayout.wireChunkSize, ChunkLayout.wireLeafSize)

  /// Nil where the file would have more than `chunkCountMax` chunks.
  public init?(
    fileLength: UInt64, chunkSize: Int = ChunkLayout.wireChunkSize, leafSize: Int = ChunkLayout.wireLeafSize
  ) {
    precondition(leafSize > 0 && chunkSize % leafSize == 0, "a chunk is whole leaves")
    let leaves = chunkSize / leafSize
    precondition(leaves >= 1 && leaves <= 64 && leaves & (leaves - 1) == 0, "a chunk is a power of two of leaves")
    guard fileLength <= UInt64(chunkSize) * UInt64(ChunkLayout.chunkCountMax) else { return nil }
    self.init(bounded: fileLength, chunkSize, leafSize)
  }

  /// - `fileLength`: of at most `chunkCountMax` chunks.
  private init(bounded fileLength: UInt64, _ chunkSize: Int, _ leafSize: Int) {
    self.fileLength = fileLength
    self.chunkSize = chunkSize
    self.leafSize = leafSize
    self.chunkCount = Int((fileLength + UInt64(chunkSize) - 1) / UInt64(chunkSize))
  }

  /// Leaves of a full chunk: 64 on the wire.
  public var leavesPerChunk: Int { chunkSize / leafSize }

  /// Whether the file has this chunk.
  public func contains(_ chunk: ChunkIndex) -> Bool { Int(chunk.rawValue) < chunkCount }

  /// Where a chunk starts in the file, in bytes.
  public func offset(of chunk: ChunkIndex) -> UInt64 { UInt64(chunk.rawValue) * UInt64(chunkSize) }

  /// Bytes of a chunk that the file has.
  public func length(of chunk: ChunkIndex) -> Int {
    precondition(contains(chunk), "no such chunk")
    return Int(min(UInt64(chunkSize), fileLength - offset(of: chunk)))
  }

  /// Leaves of a chunk that hold bytes: 1…`leavesPerChunk`.
  public func leafCount(of chunk: ChunkIndex) -> Int { (length(of: chunk) + leafSize - 1) / leafSize }

  /// All the leaves of a chunk that hold bytes.
  public func leaves(of chunk: ChunkIndex) -> LeafRange { LeafRange(first: 0, count: leafCount(of: chunk)) }

  /// Bytes that a run of leaves of a chunk holds; the run must lie within the chunk's leaves.
  public func length(of leaves: LeafRange, in chunk: ChunkIndex) -> Int {
    let chunkLength = length(of: chunk)
    precondition(leaves.end <= leafCount(of: chunk), "no such leaf")
    return min(leaves.end * leafSize, chunkLength) - leaves.first * leafSize
  }

  /// Bytes that some leaves of a chunk hold, bit 0 the first; they must be among the chunk's leaves.
  public func length(ofLeaves mask: UInt64, in chunk: ChunkIndex) -> Int {
    let last = leafCount(of: chunk) - 1
    precondition(mask.leadingZeroBitCount >= UInt64.bitWidth - 1 - last, "no such leaf")
    let isLastIn = mask & (1 << UInt64(last)) != 0
    return mask.nonzeroBitCount * leafSize - (isLastIn ? (last + 1) * leafSize - length(of: chunk) : 0)
  }

  /// Where a leaf starts in the file, in bytes.
  public func offset(ofLeaf leaf: Int, in chunk: ChunkIndex) -> UInt64 { offset(of: chunk) + UInt64(leaf * leafSize) }
}
