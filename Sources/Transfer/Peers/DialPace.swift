// How fast a download dials addresses from hints: a burst, then a few a second.

/// A token bucket, stored as the time at which it is full again. In a crowd most dialled peers have no room, and name
/// other peers without room. Without this pace each newcomer would dial as fast as it is turned away.
struct DialPace: Sendable {
  /// Twice as many connections from hints as a download wants.
  static let burst = 2 * DownloadState.hintedConnectionsMax
  /// The time between two dials once the burst is used up.
  static let interval: Duration = .milliseconds(125)

  private var fullAt = Instant(nanoseconds: .min / 2)

  /// When one more address may be dialled.
  var next: Instant { fullAt + DialPace.interval * (1 - DialPace.burst) }

  /// Returns whether an address may be dialled now, and counts the dial if so.
  mutating func take(at now: Instant) -> Bool {
    guard next <= now else { return false }
    fullAt = max(fullAt, now) + DialPace.interval
    return true
  }
}
