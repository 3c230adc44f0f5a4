// The actions of one connection's session, and the news that it has for the downloads.
import Content
import Wire

/// What a peer's messages mean for one of the downloads that its connection fetches for.
public enum PeerNews: Hashable, Sendable {
  /// The peer opened the content. The manifest was verified against the fileID.
  case opened(Manifest, isComplete: Bool)
  case refused(Opened.Refusal)
  /// A page that was verified against the root.
  case page(HashPage)
  case busy(RequestID, retryAfter: Duration)
  case withdrawn(Withdrawn.Reason)
  /// The first byte of an answer has come; then the last one.
  case answerBegan(RequestID)
  case answerEnded(RequestID)
  /// The peer serves another content of the connection. So the peer is alive, and the answers for this content come
  /// after it.
  case othersServed
  /// New leaves of a file that the peer has in part.
  case have([LeafRun])
  case bitmap(Bitmap)
  /// The peer is sending these chunks to other peers.
  case promised([ChunkIndex])
  case peers([PeerExchange.Entry])
}

/// Why a message of the peer ends the session.
public enum SessionEnd: Hashable, Sendable {
  /// The peer said GOODBYE.
  case remote(CloseCode, String)
  /// The peer broke the protocol.
  case violation(String)
  /// The peer's proof, hashes or manifest did not verify. The download bans the peer.
  case lied(String)

  init(_ fault: PeerFault) {
    switch fault {
    case .lie: self = .lied("its leaf hashes are not the chunk's")
    case .violation(let violation): self = .violation("\(violation)")
    }
  }
}

/// An action for the caller of `SessionDriver`. The caller does the actions in order.
public enum PeerSessionAction: Hashable, Sendable {
  /// Append the message to the outbox, then report `queued`.
  case send(Message)
  /// Pass on news of the content whose handle `open` returned.
  case tell(PeerNews, of: FileHandle)
  /// Find the file that OPEN means (test with `PeerSession.isMeant`), then call `answer`.
  case lookUp(Open)
  /// Find out whether the node has the leaves and sends them now, then call `admit`. The fields of the request are
  /// unchecked.
  case admit(ChunkRequest)
  /// Note that a chunk was promised: a request for it was accepted. Its file is complete here.
  case promise(FileHandle, ChunkIndex)
  /// Note that no leaf of a promised chunk waits any more: the peer cancelled the rest.
  case settle(FileHandle, ChunkIndex)
  /// Note that the peer closed an open handle. It asks for nothing more of that file.
  case closed(FileHandle)
  /// Expect the bytes of a DATA's leaves, then report `payloadEnded`. If they are not wanted, drop them without blame.
  case expectPayload(isWanted: Bool)
  /// Hash the payload that just ended and, if it verifies, write it.
  case verify(FetchedPiece)
  /// Send GOODBYE if the reason calls for it, and close the connection. This is the last action.
  case close(SessionEnd)
}

/// The parts that this node has of a file which it is downloading.
public struct HeldParts: Hashable, Sendable {
  /// The whole chunks: one bit for each chunk of the file, most significant first, spare bits 0.
  public let wholeChunks: [UInt8]
  /// Leaves of chunks that are not whole.
  public let runs: [LeafRun]

  public init(wholeChunks: [UInt8], runs: [LeafRun]) {
    self.wholeChunks = wholeChunks
    self.runs = runs
  }

  /// Returns the pages that have the hash of a whole chunk.
  func pagesOfWholeChunks(in pages: PageLayout) -> Set<UInt32> {
    Set((0..<UInt32(pages.pageCount)).filter { hasWhole(in: pages.chunks(of: PageIndex($0))) })
  }

  private func hasWhole(in chunks: Range<Int>) -> Bool {
    var chunk = chunks.lowerBound
    while chunk < chunks.upperBound {
      if chunk % 8 == 0, chunk + 8 <= chunks.upperBound, wholeChunks[chunk / 8] == 0 {
        chunk += 8
      } else if wholeChunks[chunk / 8] & 0x80 >> UInt8(chunk % 8) != 0 {
        return true
      } else {
        chunk += 1
      }
    }
    return false
  }
}

/// A file that is served, as an answer to OPEN describes it.
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

/// The result of looking up an OPEN.
public enum OpenAnswer: Sendable {
  case file(ServedFile)
  /// Files are still being hashed, and the file may be among them. `lookUpAgain` looks again.
  case notYet
  case noSuchFile
}

/// A page or a piece of a file that a peer opened, to send next.
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
  /// Returns the header of the DATA that carries this piece.
  /// - `leafHashes`: all leaf hashes of the chunk if `includesLeafHashes`, else none.
  public func header(leafHashes: [Digest], byteCount: Int) -> DataHeader {
    DataHeader(id: request, leaves: leaves, isLast: isLastOfAnswer, leafHashes: leafHashes, byteCount: byteCount)
  }
}
