// Hashes a file that the caller reads. The caller feeds bytes in pieces of any size, and gets chunk hashes and the
// root.

/// A chunk whose bytes have all been hashed.
public struct HashedChunk: Hashable, Sendable {
  public let index: ChunkIndex
  /// One hash for each leaf that holds bytes: 1…64.
  public let leafHashes: [Digest]
  /// The chunk's hash, over its leaves.
  public let hash: Digest
}

/// The hashes of a whole file.
public struct FileHash: Hashable, Sendable {
  public let layout: ChunkLayout
  /// One hash for each chunk. Empty for an empty file.
  public let chunkHashes: [Digest]
  public let root: Digest

  public var length: UInt64 { layout.fileLength }
  public var fileID: FileID { FileID(kind: .file, length: length, root: root) }
}

public enum FileHashFault: Error, Hashable {
  /// The file has more than `ChunkLayout.chunkCountMax` chunks.
  case tooLong
}

/// Takes a file's bytes in order. Returns each chunk's hashes as soon as the chunk's last byte is in.
///
/// The length need not be known beforehand: only the last chunk can be short, and `finish()` hashes it. Does no I/O.
/// Holds the leaf hashes of one chunk, and one hash for each chunk before it.
///
///     var state = FileHashState()
///     while let piece = read() {
///       for chunk in try state.feed(piece) { keep(chunk) }
///     }
///     let (file, lastChunk) = state.finish()
public struct FileHashState: Sendable {
  /// Bytes taken so far.
  public private(set) var length: UInt64 = 0

  private let chunkSize: Int
  private let leafSize: Int
  private let lengthMax: UInt64
  private var chunkHashes: [Digest] = []
  private var leafHashes: [Digest] = []
  // The leaf that is being hashed. It has no meaning while `leafLength` is 0.
  private var leaf = StreamingSHA256()
  private var leafLength = 0

  /// The sizes must be valid for a `ChunkLayout`.
  public init(chunkSize: Int = ChunkLayout.wireChunkSize, leafSize: Int = ChunkLayout.wireLeafSize) {
    precondition(ChunkLayout(fileLength: 0, chunkSize: chunkSize, leafSize: leafSize) != nil, "an empty file is a file")
    self.chunkSize = chunkSize
    self.leafSize = leafSize
    lengthMax = UInt64(chunkSize) * UInt64(ChunkLayout.chunkCountMax)
  }

  /// Takes the file's next bytes, any number of them. Returns the chunks that they complete, mostly none.
  ///
  /// After a throw the state is as it was before the call.
  public mutating func feed(_ bytes: RawSpan) throws(FileHashFault) -> [HashedChunk] {
    guard UInt64(bytes.byteCount) <= lengthMax - length else { throw .tooLong }
    var chunks: [HashedChunk] = []
    var start = 0
    while start < bytes.byteCount {
      let count = fullLeaves(in: bytes.byteCount - start) * leafSize
      if count > 0 {
        leafHashes += MerkleTree.leafHashes(bytes.extracting(start..<start + count), leafSize: leafSize)
        start += count
      } else {
        let count = min(leafSize - leafLength, bytes.byteCount - start)
        take(bytes.extracting(start..<start + count))
        start += count
      }
      if leafHashes.count * leafSize == chunkSize { chunks.append(endChunk()) }
    }
    length += UInt64(bytes.byteCount)
    return chunks
  }

  /// Ends the file. `lastChunk` is the last chunk if it is a short one. `feed` has returned every full chunk.
  public consuming func finish() -> (file: FileHash, lastChunk: HashedChunk?) {
    if leafLength > 0 { endLeaf(leaf.digest()) }
    let lastChunk = leafHashes.isEmpty ? nil : endChunk()
    guard let layout = ChunkLayout(fileLength: length, chunkSize: chunkSize, leafSize: leafSize) else {
      preconditionFailure("feed takes no more than a file can hold")
    }
    let root = MerkleTree.root(chunkHashes, in: layout)
    return (FileHash(layout: layout, chunkHashes: chunkHashes, root: root), lastChunk)
  }

  /// Returns the number of whole leaves in the next bytes, up to the end of the chunk. 0 while a leaf has begun.
  private func fullLeaves(in byteCount: Int) -> Int {
    leafLength > 0 ? 0 : min(byteCount / leafSize, chunkSize / leafSize - leafHashes.count)
  }

  /// Takes bytes of one leaf, at most up to the leaf's end.
  private mutating func take(_ bytes: RawSpan) {
    if leafLength == 0 { leaf = StreamingSHA256() }
    leaf.update(bytes)
    leafLength += bytes.byteCount
    if leafLength == leafSize { endLeaf(leaf.digest()) }
  }

  private mutating func endLeaf(_ hash: Digest) {
    leafHashes.append(hash)
    leafLength = 0
  }

  /// If the first chunk is short, it is also the last one: then the chunk is filled up only to its own power of two.
  private mutating func endChunk() -> HashedChunk {
    let isWholeFile = chunkHashes.isEmpty && leafHashes.count * leafSize < chunkSize
    let width = isWholeFile ? MerkleTree.powerOfTwo(atLeast: leafHashes.count) : chunkSize / leafSize
    let hash = MerkleTree.node(over: leafHashes, level: 0, width: width)
    let chunk = HashedChunk(index: ChunkIndex(UInt32(chunkHashes.count)), leafHashes: leafHashes, hash: hash)
    chunkHashes.append(hash)
    leafHashes.removeAll(keepingCapacity: false)
    return chunk
  }
}
