// The download limit: how fast the downloads of a node may ask for data.
//
// The limit is kept by asking later, not by reading later. Bytes that nobody asked for wait in no buffer, hold up no other
// message of their connection, and make no peer look slow: no clock of a request runs before the request is sent.
import Content

/// How fast one download may ask. Time that a request pays for must pass before the next one.
public struct RequestPace: Sendable {
  /// A request asks for the bytes of this time at most, and for one leaf at least.
  private static let requestSeconds = 0.04
  /// Requests may come so much too early, after a pause. It makes up for timers that fire late.
  private static let burst = Duration.milliseconds(40)
  /// Bytes that are on their way, of all downloads together, are those of this time and of one request at most. With the
  /// burst and one request that is less than half a second: whatever the peers do, in 10 s no more bytes arrive than the
  /// limit allows in 10.5 s. A round trip of 0.3 s still uses the whole limit.
  private static let inFlightSeconds = 0.36
  /// After so long a download looks again if bytes on their way held it up: some of them may hang.
  private static let lookInterval = Duration.milliseconds(100)

  /// Bytes a second; nil: no limit.
  public let bytesPerSecond: UInt64?
  /// All bytes that were asked for are paid for until then.
  fileprivate var paidUntil: Instant
  /// Bytes that are on their way to other downloads.
  fileprivate var othersInFlight = 0
  /// Another download has waited longer.
  fileprivate var isOthersTurn = false
  /// Other downloads wait.
  fileprivate var doOthersWait = false
  /// What the download did since the pace was lent to it.
  fileprivate var wasTried = false
  fileprivate var hasAsked = false
  fileprivate var wasDenied = false
  fileprivate var inFlight = 0

  /// No limit.
  public init() { (bytesPerSecond, paidUntil) = (nil, .zero) }

  init(bytesPerSecond: UInt64?, paidUntil: Instant) {
    self.bytesPerSecond = bytesPerSecond.map { max($0, 1) }
    self.paidUntil = paidUntil
  }

  var isLimited: Bool { bytesPerSecond != nil }

  /// The most bytes of one request; one leaf may be more.
  var requestBytesMax: Int {
    bytesPerSecond.map { Int(clamping: UInt64(Double(min($0, 1 << 50)) * RequestPace.requestSeconds)) } ?? .max
  }

  /// How long so many bytes take at the limit.
  func time(for bytes: Int) -> Duration {
    guard let bytesPerSecond else { return .zero }
    return .nanoseconds(Int64(min(Double(max(bytes, 0)) * 1e9 / Double(bytesPerSecond), 1e17)))
  }

  /// Nil: a request may leave now. Else when to look again.
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

  /// So many bytes are on their way to this download.
  mutating func note(inFlight: Int) { self.inFlight = inFlight }

  /// A request was sent.
  mutating func asked(_ bytes: Int, at now: Instant) {
    guard isLimited else { return }
    paidUntil = max(paidUntil, now) + time(for: bytes)
    (hasAsked, isOthersTurn) = (true, doOthersWait)
  }
}

/// The download limit of a node, which its downloads share. Each gets the pace while it decides. Downloads that wait take
/// turns, one request each.
public struct DownloadLimiter: Sendable {
  /// A download that did not ask again for so long no longer waits.
  private static let waitMax = Duration.milliseconds(500)

  private struct Claim: Sendable {
    let since: Instant
    var renewed: Instant
  }

  private var bytesPerSecond: UInt64?
  private var paidUntil = Instant.zero
  /// What is on its way to each download, and when that was so. It is gone, or hangs, after `waitMax`.
  private var inFlight: [DownloadID: (bytes: Int, at: Instant)] = [:]
  private var claims: [DownloadID: Claim] = [:]

  /// - `bytesPerSecond`: nil: no limit.
  public init(bytesPerSecond: UInt64?) { self.bytesPerSecond = bytesPerSecond }

  /// Changes the limit. What was asked for is paid.
  public mutating func change(to bytesPerSecond: UInt64?) {
    self = DownloadLimiter(bytesPerSecond: bytesPerSecond)
  }

  /// The pace of a download, for one event.
  public func pace(of download: DownloadID, at now: Instant) -> RequestPace {
    guard let bytesPerSecond else { return RequestPace() }
    var pace = RequestPace(bytesPerSecond: bytesPerSecond, paidUntil: paidUntil)
    pace.inFlight = inFlight[download]?.bytes ?? 0
    for (other, known) in inFlight where other != download && now - known.at <= DownloadLimiter.waitMax {
      pace.othersInFlight += known.bytes
    }
    let mine = claims[download]?.since ?? now
    // At a low limit a turn comes rarely.
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

  /// A download is over.
  public mutating func end(_ download: DownloadID) {
    inFlight[download] = nil
    claims[download] = nil
  }
}
