// What a download knows of a peer and of its connection, for the parts of DownloadState to share.
import Content
import Wire

/// A peer that has or had the file. Its number is its place in the order of joining.
struct Peer: Sendable {
  let id: PeerID
  var score = PeerScore()
  /// Its connection while it is live.
  var connection: ConnectionID?
  /// Whether a request to it was ever answered in full.
  var isProven = false
  /// BUSY answers since the last verified leaf.
  var refusals = 0
  var busyUntil: Instant?
  /// The worker that drives it.
  var worker: Int?
  /// The generation of the chunk table at which it had nothing to give.
  var exhaustedAt: UInt64 = 0
  /// When a peer at score 0 may be tried again.
  var probeAt: Instant?
  var ip: [UInt8]?
  /// Where it was dialled last.
  var address: PeerAddress?

  var chunks = 0
  var bytes: UInt64 = 0
  var failures = 0
  var hedges = 0
  var hedged = 0
  var times = AnswerTimes()
  var speed = SpeedMeter()

  init(id: PeerID) { self.id = id }

  func stats(isBanned: Bool) -> PeerDownloadStats {
    PeerDownloadStats(
      peer: id, address: address, chunks: chunks, bytes: bytes, failures: failures, hedges: hedges, hedged: hedged,
      isBanned: isBanned, bytesPerSecond: score.throughput ?? 0, times: times, score: Double(score.value))
  }
}

/// A request that is not verified to its end.
struct PendingRequest: Sendable {
  let id: RequestID
  let chunk: ChunkIndex
  let leaves: LeafRange
  let worker: Int
  let sent: Instant
  let isHedge: Bool
  /// When it became first in line: max(sent, last byte of the previous answer). Latency and timeout count from here.
  var started: Instant?
  /// When its first byte came.
  var began: Instant?
  /// When its last byte came; what is left then is to verify and write.
  var ended: Instant?
  var verified: UInt64 = 0
  /// What writing its verified leaves took, the last of them.
  var lastWrite: Duration = .zero

  var isEnded: Bool { ended != nil }
}

/// A connection that the download uses or waits for.
struct Link: Sendable {
  enum Phase: Hashable, Sendable { case dialing, opening, open }

  /// Nil where the peer dialled us.
  let address: PeerAddress?
  var phase = Phase.dialing
  var peerID: PeerID?
  /// The peer's number, once it opened the file.
  var peer: Int?
  var requestsMax = 64
  var nextRequest: UInt32 = 1
  /// In the order in which they were sent.
  var pending: [PendingRequest] = []
  var page: PageIndex?
  var holdings: Holdings?
  /// Chunks that the peer is sending to others.
  var promised: ChunkSet?
  /// One request in flight until one is answered in full; again after a timeout.
  var isProven = false

  init(address: PeerAddress?) { self.address = address }

  func place(of request: RequestID) -> Int? { pending.firstIndex { $0.id == request } }
  /// The request whose bytes are due now.
  var firstInLine: Int? { pending.firstIndex { !$0.isEnded } }
}
