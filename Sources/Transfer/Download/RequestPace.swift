// The download limit: how fast the downloads of a node may send requests.
//
// The limit delays requests, not reads. So no bytes wait in a buffer and hold up other messages of their connection,
// and no peer looks slow, because the clock of a request runs only after the request is sent.
import Content

/// How fast one download may send requests. After each request, the time that its bytes take at the limit must pass
/// before the next one.
public struct RequestPace: Sendable {
  /// A request asks for at most the bytes of this many seconds at the limit, and for at least one leaf.
  private static let requestSeconds = 0.04
  /// After a pause requests may be sent this much too early. This makes up for timers that fire late.
  private static let burst = Duration.milliseconds(40)
  /// At most the bytes of this many seconds at the limit, and of one request, are on their way to all downloads
  /// together. With the burst and one request that is less than half a second: whatever the peers do, in 10 s no more
  /// bytes arrive than the limit allows in 10.5 s. A path with a round trip of 0.3 s can still use the whole limit.
  private static let inFlightSeconds = 0.36
  /// A download that waits because of bytes on their way checks again after this time: some of them may hang.
  private static let lookInterval = Duration.milliseconds(100)

  /// Bytes a second; nil: no limit.
  public let bytesPerSecond: UInt64?
  /// When the time of all requested bytes has passed.
  fileprivate var paidUntil: Instant
  /// Bytes that are on their way to other downloads.
  fileprivate var othersInFlight = 0
  /// Whether another download has waited longer.
  fileprivate var isOthersTurn = false
  /// Whether other downloads wait.
  fileprivate var doOthersWait = false
  /// Whether the download asked to send a request since it got the pace; then whether it sent one, and whether one was
  /// denied.
  fileprivate var wasTried = false
  fileprivate var hasAsked = false
  fileprivate var wasDenied = false
  fileprivate var inFlight = 0

  /// Makes a pace without a limit.
  public init() { (bytesPerSecond, paidUntil) = (nil, .zero) }

  init(bytesPerSecond: UInt64?, paidUntil: Instant) {
    self.bytesPerSecond = bytesPerSecond.map { max($0, 1) }
    self.paidUntil = paidUntil
  }

  var isLimited: Bool { bytesPerSecond != nil }

  /// The most bytes that one request asks for, unless one leaf is more.
  var requestBytesMax: Int {
    bytesPerSecond.map { Int(clamping: UInt64(Double(min($0, 1 << 50)) * RequestPace.requestSeconds)) } ?? .max
  }

  /// Returns how long so many bytes take at the limit.
  func time(for bytes: Int) -> Duration {
    guard let bytesPerSecond else { return .zero }
    return .nanoseconds(Int64(min(Double(max(bytes, 0)) * 1e9 / Double(bytesPerSecond), 1e17)))
  }

  /// Returns nil if a request may be sent now. Else returns when to check again.
  /// - `inFlight`: bytes that are on their way to this download.
  mutating func wait(inFlight: Int, at now: Instant) -> Instant? {
    guard let bytesPerSecond else { return nil }
    (self.inFlight, wasTried) = (inFlight, true)
    let due = paidUntil + (.zero - RequestPace.burst)
    let all = inFlight + othersInFlight
    let isFull = all > 0 && Double(all) >= Double(bytesPerSecond) * RequestPace.inFlightSeconds
    if due <= now, !isFull, !isOthersTurn { return nil }
    wasDenied = true
    if due > now { return due }
    return now + (isFull ? RequestPace.lookInterval : .milliseconds(5))
  }

  /// Notes how many bytes are on their way to this download.
  mutating func note(inFlight: Int) { self.inFlight = inFlight }

  /// Counts a request that was sent.
  mutating func asked(_ bytes: Int, at now: Instant) {
    guard isLimited else { return }
    paidUntil = max(paidUntil, now) + time(for: bytes)
    (hasAsked, isOthersTurn) = (true, doOthersWait)
  }
}

/// The download limit that all downloads of a node share. A download gets the pace for each event. Downloads that wait
/// take turns, one request each.
public struct DownloadLimiter: Sendable {
  /// A download that did not ask again for this long no longer counts as waiting.
  private static let waitMax = Duration.milliseconds(500)

  private struct Claim: Sendable {
    let since: Instant
    var renewed: Instant
  }

  private var bytesPerSecond: UInt64?
  private var paidUntil = Instant.zero
  /// The bytes on their way to each download, and when this was noted. After `waitMax` they have arrived, or hang.
  private var inFlight: [DownloadID: (bytes: Int, at: Instant)] = [:]
  private var claims: [DownloadID: Claim] = [:]

  /// - `bytesPerSecond`: the limit; nil: no limit.
  public init(bytesPerSecond: UInt64?) { self.bytesPerSecond = bytesPerSecond }

  /// Changes the limit. Bytes that were already requested do not count against the new one.
  public mutating func change(to bytesPerSecond: UInt64?) {
    self = DownloadLimiter(bytesPerSecond: bytesPerSecond)
  }

  /// Returns the pace of a download for one event.
  public func pace(of download: DownloadID, at now: Instant) -> RequestPace {
    guard let bytesPerSecond else { return RequestPace() }
    var pace = RequestPace(bytesPerSecond: bytesPerSecond, paidUntil: paidUntil)
    pace.inFlight = inFlight[download]?.bytes ?? 0
    for (other, known) in inFlight where other != download && now - known.at <= DownloadLimiter.waitMax {
      pace.othersInFlight += known.bytes
    }
    let mine = claims[download]?.since ?? now
    // At a low limit a download's turn comes rarely.
    let patience = DownloadLimiter.waitMax + pace.time(for: ChunkLayout.wireLeafSize)
    for (other, claim) in claims where other != download && now - claim.renewed <= patience {
      pace.doOthersWait = true
      if claim.since < mine { pace.isOthersTurn = true }
    }
    return pace
  }

  /// Takes the pace back after the event.
  public mutating func take(_ pace: RequestPace, of download: DownloadID, at now: Instant) {
    guard bytesPerSecond != nil, pace.isLimited else { return }
    paidUntil = pace.paidUntil
    inFlight[download] = pace.inFlight == 0 ? nil : (pace.inFlight, now)
    guard pace.wasTried else { return }
    if pace.hasAsked || !pace.wasDenied { claims[download] = nil }
    if pace.wasDenied { claims[download] = Claim(since: claims[download]?.since ?? now, renewed: now) }
  }

  /// Forgets a download that has ended.
  public mutating func end(_ download: DownloadID) {
    inFlight[download] = nil
    claims[download] = nil
  }
}
