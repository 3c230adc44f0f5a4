// A content to fetch, the requests for it, and the pieces that come.
import Content
import Wire

/// What to ask of a peer.
public struct FetchRequest: Hashable, Sendable {
  /// The number that the caller gave it: greater than those of its earlier requests for the same content.
  public let id: RequestID
  public let chunk: ChunkIndex
  public let leaves: LeafRange
  /// Those of the leaves that are kept, bit 0 the chunk's first.
  public let needed: UInt64
  /// What the chunk must hash to.
  public let chunkHash: Digest
  /// All of the chunk's, where they are at hand: they need not be sent again.
  public let leafHashes: [Digest]?

  public init(
    id: RequestID, chunk: ChunkIndex, leaves: LeafRange, needed: UInt64 = .max, chunkHash: Digest,
    leafHashes: [Digest]? = nil
  ) {
    self.id = id
    self.chunk = chunk
    self.leaves = leaves
    self.needed = needed
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

/// A piece of an expected answer. The caller hashes it leaf by leaf and writes the leaves that are needed.
public struct FetchedPiece: Hashable, Sendable {
  /// The content that it belongs to.
  public let handle: FileHandle
  /// As the caller numbered the request.
  public let request: RequestID
  public let chunk: ChunkIndex
  public let leaves: LeafRange
  /// Those of the leaves that are kept, bit 0 the chunk's first. The other ones came because they lay between these.
  public let needed: UInt64
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
  /// A part of a piece.
  public struct Part: Hashable, Sendable {
    /// Of the piece's bytes.
    public let bytes: Range<Int>
    /// Where they belong in the content.
    public let fileOffset: UInt64
  }

  /// The parts of the piece that are kept, as runs.
  public var neededParts: [Part] {
    if needed == leaves.mask { return [Part(bytes: 0..<byteCount, fileOffset: fileOffset)] }
    return LeafRun.runs(of: needed, in: chunk).map { run in
      let start = layout.offset(ofLeaf: run.leaves.first, in: chunk)
      let first = Int(start - fileOffset)
      return Part(bytes: first..<first + layout.length(of: run.leaves, in: chunk), fileOffset: start)
    }
  }

  /// Whether bytes are the piece's: of its length, and each leaf of its hash.
  public func isMatched(by bytes: RawSpan) -> Bool {
    guard bytes.byteCount == byteCount else { return false }
    return layout.leafHashes(bytes, from: leaves.first, of: chunk) == leafHashes
  }
}
