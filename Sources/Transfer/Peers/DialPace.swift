// How fast addresses that peers told of are dialled: some at once, then few a second.

/// In a crowd most who are dialled have no room, and tell of others who have none either: without a pace each newcomer
/// dials as fast as it is turned away. A token bucket, kept as the time at which it is full again.
struct DialPace: Sendable {
  /// As many as a download wants, twice.
  static let burst = 2 * DownloadState.hintedConnectionsMax
  /// Between two dials once the burst is used up.
  static let interval: Duration = .milliseconds(125)

  private var fullAt = Instant(nanoseconds: .min / 2)

  /// When one more may be dialled.
  var next: Instant { fullAt + DialPace.interval * (1 - DialPace.burst) }

  /// Whether one may be dialled now; then it counts.
  mutating func take(at now: Instant) -> Bool {
    guard next <= now else { return false }
    fullAt = max(fullAt, now) + DialPace.interval
    return true
  }
}
