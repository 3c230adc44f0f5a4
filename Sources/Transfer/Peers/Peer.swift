// What a download knows of a peer and of its connection, for the parts of DownloadState to share.
import Content
import Wire

/// The origin of a connection: the user named the address, a hint or discovery did, or the peer dialled us.
enum PeerOrigin: Int, Comparable, Sendable {
  case named, dialled, inbound
  static func < (a: PeerOrigin, b: PeerOrigin) -> Bool { a.rawValue < b.rawValue }
}

/// A peer that has or had the file. It keeps its number while the download remembers it.
struct Peer: Sendable {
  let id: PeerID
  /// How many peers joined before it.
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
  /// Whether it has answered only BUSY for so long that the download expects nothing from it.
  var onlyRefuses = false
  var busyUntil: Instant?
  /// The worker that drives it.
  var worker: Int?
  /// The generation of the chunk table in which it had nothing to give.
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

  /// Whether the peer is neither proven nor named by the user.
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
  /// When it became first in line: max(sent, last byte of the previous answer). Latency and timeout count from here. While
  /// the peer serves other downloads, the previous answer may be to one of those, and this moves.
  var started: Instant?
  /// When it became first in line of this download's requests.
  var firstInLineAt: Instant?
  /// When its first byte came.
  var began: Instant?
  /// When its last byte came. Only hashing and writing are left then.
  var ended: Instant?
  var verified: UInt64 = 0
  /// How long the write of its last verified leaves took.
  var lastWrite: Duration = .zero

  var isEnded: Bool { ended != nil }

  /// Since when the peer owes the answer, for the patience with it. Nil if another request is before it.
  /// - `othersMax`: until the first byte comes, so much time at most counts as the wait behind answers to other downloads.
  func dueSince(othersMax: Duration) -> Instant? {
    guard let started, let firstInLineAt, began == nil else { return started }
    return min(started, firstInLineAt + othersMax)
  }
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
  /// When the page was asked for.
  var pageAskedAt: Instant?
  /// When the latest other answer came after that. The connection works then, and the time until that answer is no
  /// delay of the peer.
  var pageHeardAt: Instant?
  var availability: RemoteAvailability?
  /// Chunks that the peer is sending to others.
  var promised: ChunkSet?
  /// Whether a request was answered in full since the last timeout. Before that, one request is in flight at a time.
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
