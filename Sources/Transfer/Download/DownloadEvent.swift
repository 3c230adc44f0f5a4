// The events of a download.
import Content
import Wire

/// Why a dial failed.
public enum DialFailure: Hashable, Sendable {
  case refused, timedOut, unreachable
  /// The swarm key or pattern does not fit.
  case notAdmitted
  /// Not the peer that was pinned.
  case wrongPeer
  /// It speaks, but not this protocol, or not well.
  case handshake
  /// The address is our own.
  case ourselves
}

/// Why a connection ended.
public enum LossReason: Hashable, Sendable {
  case closed, reset, truncated, stalled, idle
  /// The peer broke the protocol.
  case violation
  /// GOODBYE, with its code.
  case goodbye(UInt8)
}

/// The verified part of the file that is on the disk already.
public struct Resumable: Sendable {
  /// Pages whose hashes are at hand.
  public var pages: [PageIndex] = []
  /// Pages whose hashes are at hand, but with whose chunks the disk is still being compared: `resumed` and `pageVerified`
  /// follow for each, and no peer is asked for them meanwhile.
  public var heldPages: [PageIndex] = []
  /// The chunks that files of a folder share are still being compared with the disk: `resumed` and `sharedChunksCompared`
  /// follow, and no peer is asked for them meanwhile.
  public var holdsSharedChunks = false
  /// Verified leaves by chunk, bit 0 the first; whole chunks included.
  public var leaves: [(chunk: ChunkIndex, mask: UInt64)] = []

  public init(
    pages: [PageIndex] = [], heldPages: [PageIndex] = [], holdsSharedChunks: Bool = false,
    leaves: [(chunk: ChunkIndex, mask: UInt64)] = []
  ) {
    self.holdsSharedChunks = holdsSharedChunks
    self.pages = pages
    self.heldPages = heldPages
    self.leaves = leaves
  }
}

/// Something happened. Events of connections that the download let go are ignored.
public enum DownloadEvent: Sendable {
  case addressAdded(PeerAddress, pinned: PeerID?)
  /// Another node says that this peer is there. A hint never changes the peer that the user named for an address.
  case addressHinted(PeerAddress, PeerID)
  /// The disk holds the whole file already, and with it the layout. Storage will find it again.
  case foundHere(ChunkLayout)
  /// The addresses known at the start were all added.
  case discoveryFinished
  /// The handshake is done; the peer accepts so many requests in flight.
  /// - `from`: the IP address of a peer that dialled us, 16 bytes as in `PeerAddress`.
  case connected(ConnectionID, PeerID, requestsMax: Int = 64, from: [UInt8]? = nil)
  /// The peer announced its zone, in the handshake.
  case zone(ConnectionID, ZoneName)
  case dialFailed(ConnectionID, DialFailure)
  /// The peer has the file, and its manifest fits the fileID; if not complete, `have` and `bitmap` follow.
  case opened(ConnectionID, ChunkLayout, isComplete: Bool)
  /// The peer does not have the file, or refuses to open it.
  case refused(ConnectionID, Opened.Refusal)
  case storageReady(Resumable)
  /// More of what an earlier download left on the disk turned out to be right, before its page is reported verified.
  case resumed([(chunk: ChunkIndex, mask: UInt64)])
  /// The chunks that files of a folder share were compared with the disk.
  case sharedChunksCompared
  /// The peer has answered with a page that is right; `pageVerified` follows once the disk was compared with it.
  case pageArrived(PageIndex, from: ConnectionID)
  /// A page is right, its chunks may be asked for; nil: it was at hand.
  case pageVerified(PageIndex, from: ConnectionID?)
  /// Leaves that hash. Those in `needed`, which the request gave, are written; and what it took to write them.
  case leavesVerified(
    ConnectionID, RequestID, ChunkIndex, LeafRange, needed: UInt64 = .max, writing: Duration = .zero)
  /// The first byte of an answer arrived.
  case answerBegan(ConnectionID, RequestID)
  /// The last byte of an answer arrived.
  case answerEnded(ConnectionID, RequestID)
  /// The peer serves another download on the same connection: it works, and what it owes this download waits behind that.
  case othersServed(ConnectionID)
  case busy(ConnectionID, RequestID, retryAfter: Duration)
  case have(ConnectionID, [LeafRun])
  case bitmap(ConnectionID, Bitmap)
  /// The peer has promised these chunks to others.
  case promised(ConnectionID, [ChunkIndex])
  /// The peer names these other peers.
  case peers(ConnectionID, [PeerExchange.Entry])
  case withdrawn(ConnectionID)
  /// Bytes, hashes or a manifest that do not verify.
  case lied(ConnectionID)
  case connectionLost(ConnectionID, LossReason)
  /// The other end closed it since another connection with it stays, which may be reported next.
  case replaced(ConnectionID)
  /// The disk failed or is full.
  case writeFailed
  /// In order: all chunks below this one were passed on.
  case consumed(below: ChunkIndex)
  case cancelledByUser
  case timerFired
}

extension DownloadEvent {
  /// The peer's connection, if the event only says what the peer has: many of these come for each chunk.
  var teller: ConnectionID? {
    switch self {
    case .have(let id, _), .bitmap(let id, _), .promised(let id, _): id
    default: nil
    }
  }
}
