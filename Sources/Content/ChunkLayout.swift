// How a content is cut: into chunks of one size (the last one may be shorter), and each chunk into leaves of one size.

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
  /// The number of leaves, at least 1.
  public let count: Int
  /// The index after the last leaf of the run.
  public var end: Int { first + count }

  public init(first: Int, count: Int) {
    precondition(first >= 0 && count >= 1 && first + count <= 64, "a leaf range lies within a chunk")
    self.first = first
    self.count = count
  }

  /// One bit for each leaf of the run. Bit 0 is the first leaf of the chunk.
  public var mask: UInt64 { (count == 64 ? UInt64.max : (1 << UInt64(count)) - 1) << UInt64(first) }
}

/// How a content is cut into chunks and leaves: one file, or all files of a folder. The wire fixes 1 MiB and 16 KiB; a
/// simulation may cut finer.
public struct ChunkLayout: Hashable, Sendable {
  /// The content's length in bytes: the length of the file, or the sum over all files of the folder.
  public let fileLength: UInt64
  /// Bytes of a full chunk: a power of two times `leafSize`, at most 64 leaves.
  public let chunkSize: Int
  /// Bytes of a full leaf.
  public let leafSize: Int
  /// Chunks in the content; 0 for an empty one.
  public let chunkCount: Int
  /// Nil: the content is one file.
  public let folder: FolderLayout?

  /// Bytes of a chunk on the wire: 1 MiB.
  public static let wireChunkSize = 1 << 20
  /// Bytes of a leaf on the wire: 16 KiB (BEP 52).
  public static let wireLeafSize = 1 << 14
  /// The most chunks of a content: 2^22, so 4 TiB at 1 MiB.
  public static let chunkCountMax = 1 << 22

  /// The layout of the empty file, which has no chunk.
  public static let ofEmptyFile = ChunkLayout(
    bounded: 0, ChunkLayout.wireChunkSize, ChunkLayout.wireLeafSize)

  /// Nil if the file would have more than `chunkCountMax` chunks.
  public init?(
    fileLength: UInt64, chunkSize: Int = ChunkLayout.wireChunkSize, leafSize: Int = ChunkLayout.wireLeafSize
  ) {
    precondition(leafSize > 0 && chunkSize % leafSize == 0, "a chunk is whole leaves")
    let leaves = chunkSize / leafSize
    precondition(leaves >= 1 && leaves <= 64 && leaves & (leaves - 1) == 0, "a chunk is a power of two of leaves")
    guard fileLength <= UInt64(chunkSize) * UInt64(ChunkLayout.chunkCountMax) else { return nil }
    self.init(bounded: fileLength, chunkSize, leafSize)
  }

  /// The layout of a folder's contents.
  public init(_ folder: FolderLayout) {
    fileLength = folder.listing.contentsLength
    chunkSize = folder.chunkSize
    leafSize = folder.leafSize
    chunkCount = folder.chunkCount
    self.folder = folder
  }

  /// - `fileLength`: bytes, for at most `chunkCountMax` chunks.
  private init(bounded fileLength: UInt64, _ chunkSize: Int, _ leafSize: Int) {
    self.fileLength = fileLength
    self.chunkSize = chunkSize
    self.leafSize = leafSize
    self.chunkCount = Int((fileLength + UInt64(chunkSize) - 1) / UInt64(chunkSize))
    folder = nil
  }

  /// Leaves of a full chunk: 64 on the wire.
  public var leavesPerChunk: Int { chunkSize / leafSize }

  /// Whether the content has this chunk.
  public func contains(_ chunk: ChunkIndex) -> Bool { Int(chunk.rawValue) < chunkCount }

  /// Returns where a chunk starts in the content, in bytes.
  public func offset(of chunk: ChunkIndex) -> UInt64 {
    guard let folder else { return UInt64(chunk.rawValue) * UInt64(chunkSize) }
    return folder.offset(of: chunk)
  }

  /// Returns the length of a chunk in bytes. The last chunk of a file may be shorter than `chunkSize`.
  public func length(of chunk: ChunkIndex) -> Int {
    precondition(contains(chunk), "no such chunk")
    guard let folder else { return Int(min(UInt64(chunkSize), fileLength - offset(of: chunk))) }
    return folder.length(of: chunk)
  }

  /// Returns the number of leaves of a chunk that hold bytes: 1…`leavesPerChunk`.
  public func leafCount(of chunk: ChunkIndex) -> Int {
    if let folder, folder.isShared(chunk) { return folder.leafCount(ofShared: chunk) }
    return (length(of: chunk) + leafSize - 1) / leafSize
  }

  /// Returns all leaves of a chunk that hold bytes.
  public func leaves(of chunk: ChunkIndex) -> LeafRange { LeafRange(first: 0, count: leafCount(of: chunk)) }

  /// Returns the length in bytes of a run of leaves of a chunk. The run must lie within the chunk.
  public func length(of leaves: LeafRange, in chunk: ChunkIndex) -> Int {
    precondition(leaves.end <= leafCount(of: chunk), "no such leaf")
    if let folder, folder.isShared(chunk) {
      return folder.leafLengths(ofShared: chunk)[leaves.first..<leaves.end].reduce(0, +)
    }
    return min(leaves.end * leafSize, length(of: chunk)) - leaves.first * leafSize
  }

  /// Returns the length in bytes of each leaf of a chunk that holds bytes.
  public func leafLengths(of chunk: ChunkIndex) -> [Int] {
    if let folder, folder.isShared(chunk) { return folder.leafLengths(ofShared: chunk) }
    let count = leafCount(of: chunk)
    var lengths = [Int](repeating: leafSize, count: count)
    lengths[count - 1] = length(of: chunk) - (count - 1) * leafSize
    return lengths
  }

  /// Returns the length in bytes of the leaves in `mask`. Bit 0 is the chunk's first leaf. The leaves must exist.
  public func length(ofLeaves mask: UInt64, in chunk: ChunkIndex) -> Int {
    let last = leafCount(of: chunk) - 1
    precondition(mask.leadingZeroBitCount >= UInt64.bitWidth - 1 - last, "no such leaf")
    if let folder, folder.isShared(chunk) {
      let lengths = folder.leafLengths(ofShared: chunk)
      return lengths.indices.reduce(0) { $0 + (mask & 1 << UInt64($1) != 0 ? lengths[$1] : 0) }
    }
    let isLastIn = mask & (1 << UInt64(last)) != 0
    return mask.nonzeroBitCount * leafSize - (isLastIn ? (last + 1) * leafSize - length(of: chunk) : 0)
  }

  /// Returns where a leaf starts in the content, in bytes.
  public func offset(ofLeaf leaf: Int, in chunk: ChunkIndex) -> UInt64 {
    if let folder, folder.isShared(chunk) {
      return folder.offset(of: chunk) + UInt64(folder.leafLengths(ofShared: chunk)[..<leaf].reduce(0, +))
    }
    return offset(of: chunk) + UInt64(leaf * leafSize)
  }

  /// Returns the longest run of leaves that starts at `first`, ends at or before `end` and has at most `byteCountMax`
  /// bytes. It has at least one leaf.
  public func run(from first: Int, to end: Int, byteCountMax: Int, in chunk: ChunkIndex) -> LeafRange {
    guard let folder, folder.isShared(chunk) else {
      return LeafRange(first: first, count: max(1, min(end - first, byteCountMax / leafSize)))
    }
    var (count, bytes) = (0, 0)
    for length in folder.leafLengths(ofShared: chunk)[first..<end] {
      bytes += length
      if bytes > byteCountMax { break }
      count += 1
    }
    return LeafRange(first: first, count: max(1, count))
  }

  /// Returns the leaves of a chunk in order, as runs of at most `byteCountMax` bytes, which is at least a leaf's size.
  public func runs(of chunk: ChunkIndex, byteCountMax: Int) -> [LeafRange] {
    var runs: [LeafRange] = []
    let count = leafCount(of: chunk)
    while (runs.last?.end ?? 0) < count {
      runs.append(run(from: runs.last?.end ?? 0, to: count, byteCountMax: byteCountMax, in: chunk))
    }
    return runs
  }

  /// Returns the number of chunks that end at or before an offset in the content.
  public func chunkCount(below offset: UInt64) -> Int {
    if offset >= fileLength { return chunkCount }
    return folder?.chunkCount(below: offset) ?? Int(offset / UInt64(chunkSize))
  }

  /// Returns the hashes of a run of leaves, from their bytes. The run begins with leaf `first` of the chunk. Each leaf
  /// has the length that the layout gives it. The bytes must not go beyond the chunk.
  public func leafHashes(_ bytes: RawSpan, from first: Int = 0, of chunk: ChunkIndex) -> [Digest] {
    guard let folder, folder.isShared(chunk) else { return MerkleTree.leafHashes(bytes, leafSize: leafSize) }
    var lengths: [Int] = []
    var start = 0
    for length in folder.leafLengths(ofShared: chunk)[first...] where start < bytes.byteCount {
      lengths.append(min(length, bytes.byteCount - start))
      start += lengths[lengths.count - 1]
    }
    precondition(start == bytes.byteCount, "the bytes are the chunk's")
    return SHA256Lanes.hashes(of: bytes, lengths: lengths)
  }

  /// Returns the hash of a chunk, from the hashes of all its leaves that hold bytes. For a chunk that several files
  /// share, the value is SHA-256 of the files' roots, in order. Only this program uses that value.
  public func chunkHash(_ leafHashes: [Digest], of chunk: ChunkIndex) -> Digest {
    guard let folder else { return MerkleTree.chunkHash(leafHashes, in: self) }
    if folder.isShared(chunk) { return folder.sharedHash(of: chunk, leafHashes) }
    return MerkleTree.node(over: leafHashes, level: 0, width: leavesPerChunk)
  }
}
