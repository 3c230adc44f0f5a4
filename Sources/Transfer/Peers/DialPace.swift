// How fast a download dials addresses from hints: some at once, then few a second.

/// In a crowd most dialled peers have no room and name other peers without room. Without a pace each newcomer would
/// dial as fast as it is turned away. A token bucket, kept as the time at which it is full again.
struct DialPace: Sendable {
  /// Twice as many as a download wants.
  static let burst = 2 * DownloadState.hintedConnectionsMax
  /// Between two dials once the burst is used up.
  static let interval: Duration = .milliseconds(125)

  private var fullAt = Instant(nanoseconds: .min / 2)

  /// When one more may be dialled.
  var next: Instant { fullAt + DialPace.interval * (1 - DialPace.burst) }

  /// Whether an address may be dialled now. If so, it counts.
  mutating func take(at now: Instant) -> Bool {
    guard next <= now else { return false }
    fullAt = max(fullAt, now) + DialPace.interval
    return true
  }
}
