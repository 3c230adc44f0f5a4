// What a download knows about a peer and its connection. The parts of DownloadState share these types.
import Content
import Wire

/// The origin of a connection: the user named the address, a hint or a discovery named it, or the peer dialled this
/// node.
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
  /// Its connection while the peer is live.
  var connection: ConnectionID?
  /// When its last connection ended; nil while the peer is live, and once it is forgotten.
  var leftAt: Instant?
  /// Whether the peer ever answered a request in full.
  var isProven = false
  /// Whether the peer let a request time out since its last verified leaf.
  var isSilent = false
  var isBanned = false
  var refusals = Refusals()
  var busyUntil: Instant?
  /// The worker that drives the peer.
  var worker: Int?
  /// The generation of the chunk table in which the peer had nothing to give.
  var exhaustedAt: UInt64 = 0
  /// When a peer at score 0 may be tried again.
  var probeAt: Instant?
  /// The address at which the peer was last dialled.
  var address: PeerAddress?
  /// The zone that the peer announced.
  var zone = PeerZone.unknown
  /// When a leaf of the peer was last verified, or when the peer joined.
  var gaveAt = Instant.zero
  /// Whether the download leaves chunks to the peer (`ZoneState`).
  var isPartner = false

  var tally = PeerTally()

  init(id: PeerID, place: Int) { (self.id, self.place) = (id, place) }

  /// Whether the peer is neither proven nor named by the user.
  var isStranger: Bool { !isProven && origin != .named }

  /// Whether the download expects only BUSY from the peer.
  var onlyRefuses: Bool { refusals.areLasting }

  var stats: PeerDownloadStats {
    PeerDownloadStats(
      peer: id, address: address, chunks: tally.chunks, bytes: tally.bytes, failures: tally.failures,
      hedges: tally.hedges, hedged: tally.hedged, isBanned: isBanned, bytesPerSecond: score.throughput ?? 0,
      times: tally.times, score: Double(score.value))
  }
}

/// The BUSY answers of a peer since its last verified leaf.
struct Refusals: Sendable {
  private(set) var count = 0
  /// When the first of them came.
  private var since: Instant?
  /// Whether they have come for so long that the download expects only BUSY.
  private(set) var areLasting = false

  mutating func add(at now: Instant) {
    count += 1
    if since == nil { since = now }
  }

  /// Returns true when the refusals become lasting: more than `countMax` of them came, over at least `time`.
  mutating func becomeLasting(countMax: Int, time: Duration, at now: Instant) -> Bool {
    guard !areLasting, count > countMax, let since, now - since >= time else { return false }
    areLasting = true
    return true
  }

  /// Clears the refusals, because a leaf of the peer was verified. True if there were any.
  mutating func clear() -> Bool {
    guard count > 0 else { return false }
    self = Refusals()
    return true
  }
}

/// What a peer sent to the download, for the statistics.
struct PeerTally: Sendable {
  var chunks = 0
  private(set) var bytes: UInt64 = 0
  var failures = 0
  /// `hedges`: chunks that this peer was asked for as the second one. `hedged`: chunks of this peer that a second one
  /// was asked for.
  var hedges = 0
  var hedged = 0
  var times = AnswerTimes()
  private(set) var speed = SpeedMeter()

  mutating func gave(byteCount: Int, at now: Instant) {
    bytes += UInt64(byteCount)
    speed.add(byteCount, at: now)
  }
}

/// A request whose answer is not yet verified in full.
struct PendingRequest: Sendable {
  let id: RequestID
  let chunk: ChunkIndex
  let leaves: LeafRange
  let worker: Int
  let sent: Instant
  let isHedge: Bool
  /// When the request became first in line: max(sent, last byte of the previous answer). Latency and timeout count from
  /// here. The previous answer may belong to another download; this time moves while the peer serves other downloads.
  var started: Instant?
  /// When the request became first in line among this download's requests.
  var firstInLineAt: Instant?
  /// When the first byte of its answer came.
  var began: Instant?
  /// When the last byte of its answer came. After that only hashing and writing are left.
  var ended: Instant?
  var verified: UInt64 = 0
  /// How long the write of its last verified leaves took.
  var lastWrite: Duration = .zero

  var isEnded: Bool { ended != nil }

  /// Notes leaves of the answer that are verified and written. True if now all of them are.
  mutating func add(_ leaves: LeafRange, writing: Duration) -> Bool {
    verified |= leaves.mask
    lastWrite = writing
    return verified == self.leaves.mask
  }

  /// Returns since when the answer is due, to judge the peer's silence. Nil if another request comes before this one.
  /// - `othersMax`: until the first byte comes, at most this much time is excused as a wait for answers to other
  ///   downloads.
  func dueSince(othersMax: Duration) -> Instant? {
    guard let started, let firstInLineAt, began == nil else { return started }
    return min(started, firstInLineAt + othersMax)
  }
}

/// A connection that the download uses or waits for.
struct Connection: Sendable {
  enum Phase: Hashable, Sendable { case dialing, opening, open }

  /// The address that was dialled; nil if the peer dialled.
  let address: PeerAddress?
  /// 16 bytes, as in `PeerAddress`; nil if unknown.
  let ip: [UInt8]?
  let group: AddressGroup?
  let origin: PeerOrigin
  var phase = Phase.dialing
  /// The zone that the peer announced.
  var zone = PeerZone.unknown
  var peerID: PeerID?
  /// The peer's number, once the peer has opened the file.
  var peer: Int?
  var requestsMax = 64
  var nextRequest: UInt32 = 1
  /// The requests that are not yet verified, in the order in which they were sent.
  var pending: [PendingRequest] = []
  var page: PageIndex?
  /// When the page was asked for.
  var pageAskedAt: Instant?
  /// When the latest other answer came after that. It shows that the connection works, so the peer is not blamed for
  /// the time until then.
  var pageHeardAt: Instant?
  var availability: RemoteAvailability?
  /// Chunks that the peer is sending to others.
  var promised: ChunkSet?
  /// Whether a request was answered in full since the last timeout. Until then, one request is in flight at a time.
  var isProven = false

  /// Makes a connection that is dialled.
  init(dialling address: PeerAddress, origin: PeerOrigin) {
    self.address = address
    self.origin = origin
    ip = address.ip
    group = AddressGroup(ip: address.ip)
  }

  /// Makes a connection that a peer dialled.
  init(from ip: [UInt8]?) {
    address = nil
    origin = .inbound
    self.ip = ip
    group = ip.map { AddressGroup(ip: $0) }
  }

  /// Notes that the handshake is done, and the peer is asked to open the file.
  mutating func connected(as peer: PeerID, requestsMax: Int) {
    peerID = peer
    self.requestsMax = max(1, requestsMax)
    phase = .opening
  }

  /// Notes that the peer with this number has opened the file.
  mutating func opened(by number: Int, _ availability: RemoteAvailability) {
    phase = .open
    peer = number
    self.availability = availability
  }

  func place(of request: RequestID) -> Int? { pending.firstIndex { $0.id == request } }
  /// The request whose bytes are due now.
  var firstInLine: Int? { pending.firstIndex { !$0.isEnded } }

  /// Adds a request at the end of the line. Returns its id.
  mutating func ask(
    _ chunk: ChunkIndex, _ leaves: LeafRange, worker: Int, isHedge: Bool, at now: Instant
  ) -> RequestID {
    let request = RequestID(nextRequest)
    nextRequest += 1
    pending.append(
      PendingRequest(id: request, chunk: chunk, leaves: leaves, worker: worker, sent: now, isHedge: isHedge))
    return request
  }

  /// Starts the clock of the first request in line. Returns its chunk; nil if the clock runs already or no request is
  /// in line.
  mutating func startClock(at now: Instant) -> ChunkIndex? {
    guard let place = firstInLine, pending[place].started == nil else { return nil }
    pending[place].started = now
    pending[place].firstInLineAt = now
    return pending[place].chunk
  }

  /// Removes and returns a request. Nil if it is not in line, or the peer has no number.
  mutating func take(_ request: RequestID) -> (pending: PendingRequest, peer: Int)? {
    guard let place = place(of: request), let peer else { return nil }
    return (pending.remove(at: place), peer)
  }

  /// Notes that the peer is asked for a page.
  mutating func ask(_ page: PageIndex, at now: Instant) {
    self.page = page
    (pageAskedAt, pageHeardAt) = (now, nil)
  }

  /// Notes that no page is due from the peer any more.
  mutating func clearPage() { (page, pageAskedAt) = (nil, nil) }

  // MARK: Announcements. Only a peer that has opened the file sends them.

  mutating func learn(_ run: LeafRun, layout: ChunkLayout) -> RemoteAvailability.Gain {
    guard let gain = availability?.add(run, layout: layout) else { Connection.isNotOpen() }
    return gain
  }

  mutating func learn(_ bitmap: Bitmap) -> [RemoteAvailability.WordGain] {
    guard let gains = availability?.add(bitmap) else { Connection.isNotOpen() }
    return gains
  }

  private static func isNotOpen() -> Never { preconditionFailure("a peer with a number has opened the file") }
}
