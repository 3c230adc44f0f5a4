// A content to fetch, the requests for it, and the pieces of their answers.
import Content
import Wire

/// A request for leaves of one chunk.
public struct FetchRequest: Hashable, Sendable {
  /// The caller's number for the request: greater than in all its earlier requests for the same content.
  public let id: RequestID
  public let chunk: ChunkIndex
  public let leaves: LeafRange
  /// The leaves to keep, bit 0 the chunk's first.
  public let needed: UInt64
  /// The hash that the chunk must have.
  public let chunkHash: Digest
  /// All leaf hashes of the chunk if they are known, so that the peer need not send them. Nil: the peer sends them.
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

/// A content to fetch. The standard sizes are those of the protocol; a simulation may use smaller ones.
public struct FetchTarget: Sendable {
  public let fileID: FileID
  public let key: FileKey
  public let chunkSize: Int
  public let leafSize: Int
  public let chunksPerPage: Int
  /// The layout of a folder, if its contents are fetched. Nil: the content is a file or a listing.
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
  /// The content that the piece belongs to.
  public let handle: FileHandle
  /// The caller's number for the request.
  public let request: RequestID
  public let chunk: ChunkIndex
  public let leaves: LeafRange
  /// The leaves to keep, bit 0 the chunk's first. The other leaves came only because they lie between these.
  public let needed: UInt64
  /// The hash that each of the leaves must have.
  public let leafHashes: [Digest]
  /// The layout of the content.
  public let layout: ChunkLayout
  /// Where the bytes belong in the content.
  public let fileOffset: UInt64
  public let byteCount: Int
  public let isFirstOfAnswer: Bool
  public let isLastOfAnswer: Bool
  /// All leaf hashes of the chunk, verified, if this piece brought them. They serve later requests for its leaves.
  public let chunkLeafHashes: [Digest]?
}

extension FetchedPiece {
  /// A part of a piece.
  public struct Part: Hashable, Sendable {
    /// The part's place among the bytes of the piece.
    public let bytes: Range<Int>
    /// Where the part belongs in the content, in bytes.
    public let fileOffset: UInt64
  }

  /// The parts of the piece to keep: one part for each run of needed leaves.
  public var neededParts: [Part] {
    if needed == leaves.mask { return [Part(bytes: 0..<byteCount, fileOffset: fileOffset)] }
    return LeafRun.runs(of: needed, in: chunk).map { run in
      let start = layout.offset(ofLeaf: run.leaves.first, in: chunk)
      let first = Int(start - fileOffset)
      return Part(bytes: first..<first + layout.length(of: run.leaves, in: chunk), fileOffset: start)
    }
  }

  /// Returns whether bytes have the piece's length and every leaf has its hash.
  public func isMatched(by bytes: RawSpan) -> Bool {
    guard bytes.byteCount == byteCount else { return false }
    return layout.leafHashes(bytes, from: leaves.first, of: chunk) == leafHashes
  }
}
