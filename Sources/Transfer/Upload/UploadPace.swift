// How fast one peer gets what it asks for here, and when it has asked for more than comes in reasonable time.

/// Senders take turns, so a connection's own pace is its fair share of the uplink, or what the peer itself can take.
/// Judging each connection by that bounds what is promised over all of them, and nobody suffers from who does not read.
public struct UploadPace: Sendable {
  /// What waits on a connection shall be sent within this time; more is refused. Far below the time in which a peer
  /// gives a request up.
  public static let waitMax: Duration = .seconds(8)
  /// A refused peer comes back no sooner and no later than this.
  static let retryMin: Duration = .milliseconds(100)
  static let retryMax: Duration = .seconds(10)
  /// Over less time than this nothing is known.
  private static let measuredSecondsMin = 0.5
  /// What was measured this long ago counts half.
  private static let halfLifeSeconds = 4.0
  /// As if so much had been sent beforehand: one piece may be under way.
  private static let slackBytes = 65_536.0

  private var byteCount = 0.0
  private var seconds = 0.0
  /// While something waits to be sent.
  private var since: Instant?

  public init() {}

  /// Whether something waits to be sent: only then time counts.
  public mutating func note(isWaiting: Bool, at now: Instant) {
    count(until: now)
    since = isWaiting ? now : nil
  }

  /// So many bytes left.
  public mutating func sent(_ bytes: Int, at now: Instant) {
    count(until: now)
    byteCount += Double(bytes)
  }

  private mutating func count(until now: Instant) {
    guard let since, now > since else { return }
    seconds += (now - since).inSeconds
    self.since = now
    guard seconds > 2 * UploadPace.halfLifeSeconds else { return }
    seconds /= 2
    byteCount /= 2
  }

  /// Nil: a request more may wait. Else it is refused, and this is when to come back.
  /// - `waiting`: bytes that wait already; without any a request is always taken.
  public func retryAfter(waiting: Int, at now: Instant) -> Duration? {
    let seconds = seconds + (since.map { max((now - $0).inSeconds, 0) } ?? 0)
    guard waiting > 0, seconds >= UploadPace.measuredSecondsMin else { return nil }
    let due = Double(waiting) * seconds / (byteCount + UploadPace.slackBytes)
    guard due > UploadPace.waitMax.inSeconds else { return nil }
    let excess = Duration.milliseconds(Int64(min(due - UploadPace.waitMax.inSeconds, 1e6) * 1000))
    return min(max(excess, UploadPace.retryMin), UploadPace.retryMax)
  }
}
