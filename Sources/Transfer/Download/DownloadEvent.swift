// The events of a download.
import Content
import Wire

/// Why a dial failed.
public enum DialFailure: Hashable, Sendable {
  case refused, timedOut, unreachable
  /// The swarm key or handshake pattern does not match.
  case notAdmitted
  /// Another peer than the pinned one answered.
  case wrongPeer
  /// The other end answered, but does not speak this protocol correctly.
  case handshake
  /// The address is this node's own.
  case ourselves
}

/// Why a connection ended.
public enum LossReason: Hashable, Sendable {
  case closed, reset, truncated, stalled, idle
  /// The peer broke the protocol.
  case violation
  /// The peer sent GOODBYE with this code.
  case goodbye(UInt8)
}

/// The verified part of the file that is on the disk already.
public struct Resumable: Sendable {
  /// Pages whose hashes are known and whose chunks were compared with the disk.
  public var pages: [PageIndex] = []
  /// Pages whose hashes are known, and whose chunks are still being compared with the disk. `resumed` and
  /// `pageVerified` follow for each. Meanwhile no peer is asked for these pages and chunks.
  public var heldPages: [PageIndex] = []
  /// Whether the chunks that files of a folder share are still being compared with the disk. Then `resumed` and
  /// `sharedChunksCompared` follow, and meanwhile no peer is asked for these chunks.
  public var holdsSharedChunks = false
  /// Verified leaves by chunk, bit 0 the first, including those of whole chunks.
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

/// An event for a download. Events of connections that the download has closed are ignored.
public enum DownloadEvent: Sendable {
  case addressAdded(PeerAddress, pinned: PeerID?)
  /// Another node or a discovery says that this peer is at the address. A hint never changes the peer that the user
  /// named for an address.
  case addressHinted(PeerAddress, PeerID)
  /// The whole file is on the disk already, so its layout is known. Storage will find it again.
  case foundHere(ChunkLayout)
  /// All addresses that are known at the start were added.
  case discoveryFinished
  /// The handshake is done. `requestsMax`: how many requests in flight the peer accepts.
  /// - `from`: the IP address of a peer that dialled this node, 16 bytes as in `PeerAddress`.
  case connected(ConnectionID, PeerID, requestsMax: Int = 64, from: [UInt8]? = nil)
  /// The peer announced its zone in the handshake.
  case zone(ConnectionID, ZoneName)
  case dialFailed(ConnectionID, DialFailure)
  /// The peer has the file, and its manifest was verified against the fileID. If the peer has only a part, `have` and
  /// `bitmap` follow.
  case opened(ConnectionID, ChunkLayout, isComplete: Bool)
  /// The peer does not have the file, or refuses to open it.
  case refused(ConnectionID, Opened.Refusal)
  case storageReady(Resumable)
  /// More leaves that an earlier download left on the disk were verified. Comes before their page is reported verified.
  case resumed([(chunk: ChunkIndex, mask: UInt64)])
  /// The chunks that files of a folder share were compared with the disk.
  case sharedChunksCompared
  /// The peer has sent a page that verifies. `pageVerified` follows once the disk was compared with it.
  case pageArrived(PageIndex, from: ConnectionID)
  /// A page is verified, and its chunks may be requested. Nil: no peer sent the page, it was known.
  case pageVerified(PageIndex, from: ConnectionID?)
  /// Leaves are verified. Those in `needed`, a mask from the request, are also written. `writing`: how long the write
  /// took.
  case leavesVerified(
    ConnectionID, RequestID, ChunkIndex, LeafRange, needed: UInt64 = .max, writing: Duration = .zero)
  /// The first byte of an answer arrived.
  case answerBegan(ConnectionID, RequestID)
  /// The last byte of an answer arrived.
  case answerEnded(ConnectionID, RequestID)
  /// The peer serves another download on the same connection. So the peer is alive, and its answers for this download
  /// come after that.
  case othersServed(ConnectionID)
  case busy(ConnectionID, RequestID, retryAfter: Duration)
  case have(ConnectionID, [LeafRun])
  case bitmap(ConnectionID, Bitmap)
  /// The peer has promised these chunks to other peers.
  case promised(ConnectionID, [ChunkIndex])
  /// The peer names these other peers.
  case peers(ConnectionID, [PeerExchange.Entry])
  case withdrawn(ConnectionID)
  /// The peer sent bytes, hashes or a manifest that do not verify.
  case lied(ConnectionID)
  case connectionLost(ConnectionID, LossReason)
  /// The other end closed the connection as a duplicate. The connection that stays may be reported next.
  case replaced(ConnectionID)
  /// The disk failed or is full.
  case writeFailed
  /// The reader of a stream has taken all chunks below this one.
  case consumed(below: ChunkIndex)
  case cancelledByUser
  case timerFired
}

extension DownloadEvent {
  /// The peer's connection, if the event only announces chunks. Many such events come for each chunk.
  var teller: ConnectionID? {
    switch self {
    case .have(let id, _), .bitmap(let id, _), .promised(let id, _): id
    default: nil
    }
  }
}
