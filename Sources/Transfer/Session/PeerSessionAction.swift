// What one connection's session wants done, and what it has to say.
import Content
import Wire

/// What a peer's messages mean for one of the downloads that its connection fetches for.
public enum PeerNews: Hashable, Sendable {
  /// The manifest fits the fileID.
  case opened(Manifest, isComplete: Bool)
  case refused(Opened.Refusal)
  /// It leads to the root.
  case page(HashPage)
  case busy(RequestID, retryAfter: Duration)
  case withdrawn(Withdrawn.Reason)
  /// The first byte of an answer is here; then the last.
  case answerBegan(RequestID)
  case answerEnded(RequestID)
  /// The peer serves another content of the connection. So it works, and what this content waits for is behind that.
  case othersServed
  /// Of a file that the peer has in part: more of it is there.
  case have([LeafRun])
  case bitmap(Bitmap)
  /// Others are getting these chunks from it.
  case promised([ChunkIndex])
  case peers([PeerExchange.Entry])
}

/// Why a session ends by what the peer sent.
public enum SessionEnd: Hashable, Sendable {
  /// The peer said GOODBYE.
  case remote(CloseCode, String)
  /// The peer broke the protocol.
  case violation(String)
  /// Hashes or a manifest that do not verify: for a ban.
  case lied(String)

  init(_ fault: PeerFault) {
    switch fault {
    case .lie: self = .lied("its leaf hashes are not the chunk's")
    case .violation(let violation): self = .violation("\(violation)")
    }
  }
}

/// What the caller of `SessionDriver` does, in order.
public enum PeerSessionAction: Hashable, Sendable {
  /// Put it behind what waits to be sent, then say so by `queued`.
  case send(Message)
  /// News of the content that `open` gave this handle.
  case tell(PeerNews, of: FileHandle)
  /// Find the file that OPEN means (`PeerSession.isMeant` tells), then `answer` it.
  case lookUp(Open)
  /// Find out whether the node has the leaves and sends them now, then `admit` the request. Its fields are as they were
  /// sent.
  case admit(ChunkRequest)
  /// A request for a chunk of a file that is complete here was taken in: it will be sent.
  case promise(FileHandle, ChunkIndex)
  /// Of a chunk that was promised nothing waits any more: the rest was taken back.
  case settle(FileHandle, ChunkIndex)
  /// The peer gave back a handle that was open: it asks for nothing more of that file.
  case closed(FileHandle)
  /// The leaves' bytes of a DATA follow, then `payloadEnded`. Not wanted: the caller drops them without blame.
  case expectPayload(isWanted: Bool)
  /// Hash the payload that just ended and, if it verifies, write it.
  case verify(FetchedPiece)
  /// The last action: say goodbye where the end calls for it, and close.
  case close(SessionEnd)
}

/// What is here of a file that is still being downloaded.
public struct HeldParts: Hashable, Sendable {
  /// The whole chunks: a bit a chunk of the file, most significant first, spare bits 0.
  public let wholeChunks: [UInt8]
  /// Leaves of chunks that are not whole.
  public let runs: [LeafRun]

  public init(wholeChunks: [UInt8], runs: [LeafRun]) {
    self.wholeChunks = wholeChunks
    self.runs = runs
  }
}

/// A file that is served, as far as an answer to OPEN tells of it.
public struct ServedFile: Sendable {
  public let kind: ContentKind
  public let key: FileKey
  public let pages: PageLayout
  public let root: Digest
  public let name: String
  /// Nil: the file is complete.
  public let parts: HeldParts?
  public var layout: ChunkLayout { pages.layout }

  public init(
    kind: ContentKind = .file, key: FileKey, pages: PageLayout, root: Digest, name: String, parts: HeldParts? = nil
  ) {
    self.kind = kind
    self.parts = parts
    self.key = key
    self.pages = pages
    self.root = root
    self.name = name
  }
}

/// What becomes of an OPEN.
public enum OpenAnswer: Sendable {
  case file(ServedFile)
  /// Files are still being hashed; it may be among them: asked again by `lookUpAgain`.
  case notYet
  case noSuchFile
}

/// What is next to be sent of the files that a peer opened.
public enum Upload: Hashable, Sendable {
  /// A page that the file has.
  case page(FileHandle, PageIndex)
  case piece(UploadPiece)

  public var handle: FileHandle {
    switch self {
    case .page(let handle, _): handle
    case .piece(let piece): piece.handle
    }
  }
}

extension UploadPiece {
  /// The frame's start.
  /// - `leafHashes`: all of the chunk's where `includesLeafHashes`, else none.
  public func header(leafHashes: [Digest], byteCount: Int) -> DataHeader {
    DataHeader(id: request, leaves: leaves, isLast: isLastOfAnswer, leafHashes: leafHashes, byteCount: byteCount)
  }
}
