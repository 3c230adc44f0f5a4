// How fast the node sends to one peer, and when a peer has more requests waiting than the node can send in reasonable
// time.

/// Senders take turns, so a connection's own pace is its fair share of the uplink, or what the peer itself can take.
/// Limiting each connection by its own pace bounds the promises of all connections together, and a peer that does not
/// read slows no other peer.
public struct UploadPace: Sendable {
  /// The node refuses requests that it cannot send within this time. It is far shorter than the timeout of a request.
  public static let waitMax: Duration = .seconds(8)
  /// The shortest and longest delay after which a refused peer asks again.
  static let retryMin: Duration = .milliseconds(100)
  static let retryMax: Duration = .seconds(10)
  /// With less measured time than this, no pace is known.
  private static let measuredSecondsMin = 0.5
  /// A measurement of this age counts half.
  private static let halfLifeSeconds = 4.0
  /// These bytes count as sent from the start: one piece may be on its way.
  private static let slackBytes = 65_536.0

  private var byteCount = 0.0
  private var seconds = 0.0
  /// Since when something waits to be sent, up to the last count; nil if nothing waits.
  private var since: Instant?

  public init() {}

  /// Notes whether something waits to be sent: only such time counts.
  public mutating func note(isWaiting: Bool, at now: Instant) {
    count(until: now)
    since = isWaiting ? now : nil
  }

  /// Counts sent bytes.
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

  /// Returns nil if one more request may wait. Else the request is refused, and the result is the delay after which the
  /// peer may ask again.
  /// - `waiting`: bytes that wait already. If none wait, a request is always accepted.
  public func retryAfter(waiting: Int, at now: Instant) -> Duration? {
    let seconds = seconds + (since.map { max((now - $0).inSeconds, 0) } ?? 0)
    guard waiting > 0, seconds >= UploadPace.measuredSecondsMin else { return nil }
    let due = Double(waiting) * seconds / (byteCount + UploadPace.slackBytes)
    guard due > UploadPace.waitMax.inSeconds else { return nil }
    let excess = Duration.milliseconds(Int64(min(due - UploadPace.waitMax.inSeconds, 1e6) * 1000))
    return min(max(excess, UploadPace.retryMin), UploadPace.retryMax)
  }
}
