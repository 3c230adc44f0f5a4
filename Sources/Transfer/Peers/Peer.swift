// What a download knows of a peer and of its connection, for the parts of DownloadState to share.
import Content
import Wire

/// How a download came to a connection: the user named the address, something else did, or the peer dialled.
enum PeerOrigin: Int, Comparable, Sendable {
  case named, dialled, inbound
  static func < (a: PeerOrigin, b: PeerOrigin) -> Bool { a.rawValue < b.rawValue }
}

/// A peer that has or had the file. Its number is its own for as long as the download remembers it.
struct Peer: Sendable {
  let id: PeerID
  /// How many had joined before it.
  let place: Int
  var origin = PeerOrigin.inbound
  var group: AddressGroup?
  var score = PeerScore()
  /// Its connection while it is live.
  var connection: ConnectionID?
  /// When its last connection ended; nil while it is live, and once it is forgotten.
  var leftAt: Instant?
  /// Whether a request to it was ever answered in full.
  var isProven = false
  /// Whether it let a request time out since its last verified leaf.
  var isSilent = false
  var isBanned = false
  /// BUSY answers since the last verified leaf.
  var refusals = 0
  /// When the first of them came.
  var refusedSince: Instant?
  /// It has answered everything by BUSY for so long that nothing is expected of it.
  var onlyRefuses = false
  var busyUntil: Instant?
  /// The worker that drives it.
  var worker: Int?
  /// The generation of the chunk table at which it had nothing to give.
  var exhaustedAt: UInt64 = 0
  /// When a peer at score 0 may be tried again.
  var probeAt: Instant?
  /// Where it was dialled last.
  var address: PeerAddress?

  var chunks = 0
  var bytes: UInt64 = 0
  var failures = 0
  var hedges = 0
  var hedged = 0
  var times = AnswerTimes()
  var speed = SpeedMeter()

  init(id: PeerID, place: Int) { (self.id, self.place) = (id, place) }

  /// Whether nothing speaks for it: it has proved nothing, and the user did not name it.
  var isStranger: Bool { !isProven && origin != .named }

  var stats: PeerDownloadStats {
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
struct Connection: Sendable {
  enum Phase: Hashable, Sendable { case dialing, opening, open }

  /// Nil where the peer dialled us.
  let address: PeerAddress?
  /// 16 bytes, as in `PeerAddress`; nil where it is unknown.
  let ip: [UInt8]?
  let group: AddressGroup?
  let origin: PeerOrigin
  var phase = Phase.dialing
  var peerID: PeerID?
  /// The peer's number, once it opened the file.
  var peer: Int?
  var requestsMax = 64
  var nextRequest: UInt32 = 1
  /// In the order in which they were sent.
  var pending: [PendingRequest] = []
  var page: PageIndex?
  /// When it was asked for.
  var pageAskedAt: Instant?
  /// When other answers came on the connection since: it works, and what is in between is not the peer's delay.
  var pageHeardAt: Instant?
  var availability: RemoteAvailability?
  /// Chunks that the peer is sending to others.
  var promised: ChunkSet?
  /// One request in flight until one is answered in full; again after a timeout.
  var isProven = false

  /// A connection that is dialled.
  init(dialling address: PeerAddress, origin: PeerOrigin) {
    self.address = address
    self.origin = origin
    ip = address.ip
    group = AddressGroup(ip: address.ip)
  }

  /// A connection that a peer dialled.
  init(from ip: [UInt8]?) {
    address = nil
    origin = .inbound
    self.ip = ip
    group = ip.map { AddressGroup(ip: $0) }
  }

  func place(of request: RequestID) -> Int? { pending.firstIndex { $0.id == request } }
  /// The request whose bytes are due now.
  var firstInLine: Int? { pending.firstIndex { !$0.isEnded } }
}
