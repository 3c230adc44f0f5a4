// Hashes a file that the caller reads: bytes go in, in pieces of any size; chunks and at last the root come out.

/// A chunk whose bytes have all been hashed.
public struct HashedChunk: Hashable, Sendable {
  public let index: ChunkIndex
  /// One hash for each leaf that holds bytes: 1…64.
  public let leafHashes: [Digest]
  /// The chunk's hash, over its leaves.
  public let hash: Digest
}

/// All that is known of a file once its bytes were hashed.
public struct FileHash: Hashable, Sendable {
  public let layout: ChunkLayout
  /// One hash a chunk; none for an empty file.
  public let chunkHashes: [Digest]
  public let root: Digest

  public var length: UInt64 { layout.fileLength }
  public var fileID: FileID { FileID(kind: .file, length: length, root: root) }
}

public enum FileHashFault: Error, Hashable {
  /// The file has more than `ChunkLayout.chunkCountMax` chunks.
  case tooLong
}

/// Takes a file's bytes in order and gives each chunk's hashes as soon as its last byte is in.
///
/// It need not know the length beforehand: only the last chunk can be short, and it is hashed by `finish()`. Does no I/O;
/// holds the leaf hashes of one chunk, and one hash for every chunk before it.
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
  // The leaf that has begun but not ended; unused while it holds 0 bytes.
  private var leaf = StreamingSHA256()
  private var leafLength = 0

  /// The sizes are those of a `ChunkLayout`.
  public init(chunkSize: Int = ChunkLayout.wireChunkSize, leafSize: Int = ChunkLayout.wireLeafSize) {
    precondition(ChunkLayout(fileLength: 0, chunkSize: chunkSize, leafSize: leafSize) != nil, "an empty file is a file")
    self.chunkSize = chunkSize
    self.leafSize = leafSize
    lengthMax = UInt64(chunkSize) * UInt64(ChunkLayout.chunkCountMax)
  }

  /// Takes the file's next bytes, of any count; gives the chunks that they complete (none, most of the time).
  ///
  /// After a throw the state is as before the call.
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

  /// Ends the file. `lastChunk` is its last chunk if that is a short one; a full one has come out of `feed`.
  public consuming func finish() -> (file: FileHash, lastChunk: HashedChunk?) {
    if leafLength > 0 { endLeaf(leaf.digest()) }
    let lastChunk = leafHashes.isEmpty ? nil : endChunk()
    guard let layout = ChunkLayout(fileLength: length, chunkSize: chunkSize, leafSize: leafSize) else {
      preconditionFailure("feed takes no more than a file can hold")
    }
    let root = MerkleTree.root(chunkHashes, in: layout)
    return (FileHash(layout: layout, chunkHashes: chunkHashes, root: root), lastChunk)
  }

  /// How many leaves the next bytes fill whole, up to the end of the chunk. None while a leaf has begun.
  private func fullLeaves(in byteCount: Int) -> Int {
    leafLength > 0 ? 0 : min(byteCount / leafSize, chunkSize / leafSize - leafHashes.count)
  }

  /// Takes bytes of one leaf; at most up to its end.
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

  /// A short chunk that is the first one is also the last one: the file has one chunk, filled up to its own power of two.
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
