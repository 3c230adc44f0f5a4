// A content to fetch, the requests for it, and the pieces that come.
import Content
import Wire

/// What to ask of a peer.
public struct FetchRequest: Hashable, Sendable {
  /// The number that the caller gave it: greater than those of its earlier requests for the same content.
  public let id: RequestID
  public let chunk: ChunkIndex
  public let leaves: LeafRange
  /// What the chunk must hash to.
  public let chunkHash: Digest
  /// All of the chunk's, where they are at hand: they need not be sent again.
  public let leafHashes: [Digest]?

  public init(
    id: RequestID, chunk: ChunkIndex, leaves: LeafRange, chunkHash: Digest, leafHashes: [Digest]? = nil
  ) {
    self.id = id
    self.chunk = chunk
    self.leaves = leaves
    self.chunkHash = chunkHash
    self.leafHashes = leafHashes
  }
}

/// A content to fetch. The sizes are the wire's; a simulation may cut finer.
public struct FetchTarget: Sendable {
  public let fileID: FileID
  public let key: FileKey
  public let chunkSize: Int
  public let leafSize: Int
  public let chunksPerPage: Int
  /// How the contents of a folder are cut, if these are fetched. Nil: a file or a listing.
  public let folder: FolderLayout?

  public init(
    fileID: FileID, key: FileKey, folder: FolderLayout? = nil, chunkSize: Int = ChunkLayout.wireChunkSize,
    leafSize: Int = ChunkLayout.wireLeafSize, chunksPerPage: Int = PageLayout.wireChunksPerPage
  ) {
    self.fileID = fileID
    self.key = key
    self.folder = folder
    self.chunkSize = chunkSize
    self.leafSize = leafSize
    self.chunksPerPage = chunksPerPage
  }
}

/// A piece of an expected answer. The caller hashes it leaf by leaf and writes it.
public struct FetchedPiece: Hashable, Sendable {
  /// The content that it belongs to.
  public let handle: FileHandle
  /// As the caller numbered the request.
  public let request: RequestID
  public let chunk: ChunkIndex
  public let leaves: LeafRange
  /// What each of the leaves must hash to.
  public let leafHashes: [Digest]
  /// Of the content.
  public let layout: ChunkLayout
  /// Where the bytes belong in the content.
  public let fileOffset: UInt64
  public let byteCount: Int
  public let isFirstOfAnswer: Bool
  public let isLastOfAnswer: Bool
  /// All leaf hashes of the chunk, verified, where this piece brought them: for later requests of its leaves.
  public let chunkLeafHashes: [Digest]?
}

extension FetchedPiece {
  /// Whether bytes are the piece's: of its length, and each leaf of its hash.
  public func isMatched(by bytes: RawSpan) -> Bool {
    guard bytes.byteCount == byteCount else { return false }
    guard layout.folder == nil else { return layout.leafHashes(bytes, from: leaves.first, of: chunk) == leafHashes }
    let leafSize = layout.leafSize
    for i in 0..<leaves.count {
      let leaf = bytes.extracting(i * leafSize..<min((i + 1) * leafSize, byteCount))
      guard MerkleTree.leafHash(leaf) == leafHashes[i] else { return false }
    }
    return true
  }
}
