// How long a download goes on without a new leaf.

/// A download in which no peer sends anything ends. While a proven or named peer could help, it goes on a few times, so
/// that the retries of this peer come first.
struct ProgressWatch: Sendable {
  /// A download that knows only strangers ends after this many timeouts without a verified leaf.
  private static let timeoutsMax = 4
  /// How often this time may pass again while a proven or named peer is connected. This bounds a peer that connects and
  /// leaves without an answer for ever, which spends no retry. A peer that fails spends all retries much sooner.
  private static let hopesMax = 3

  /// When a leaf was last verified.
  private var last = Instant.zero
  /// How often the download has continued without a new leaf since then, because a proven or named peer was connected.
  private var hopes = 0

  /// Returns how long a download waits for a leaf.
  /// - `timeout`: the timeout of one chunk.
  static func timeMax(timeout: Duration) -> Duration { timeout * timeoutsMax }

  /// Notes that a missing leaf was verified.
  mutating func progressed(at now: Instant) { (last, hopes) = (now, 0) }

  /// Excuses the time until now: chunks were being compared with the disk, so no peer could send a leaf.
  mutating func excuse(until now: Instant) { last = now }

  /// Notes that the reader of a stream has taken a chunk.
  mutating func readerTook() { hopes = 0 }

  /// Returns how long no leaf was verified.
  func quiet(at now: Instant) -> Duration { now - last }

  /// Returns when the wait for the next leaf is over.
  /// - `time`: the longest time without a leaf.
  func due(after time: Duration) -> Instant { last + time }

  /// Returns whether the download waits once more, after the wait is over.
  /// - `isHopeful`: whether a proven or named peer has any wanted leaf.
  /// - `waitsForReader`: whether a stream waits for its reader. Such waits are not counted.
  mutating func mayGoOn(isHopeful: Bool, waitsForReader: Bool) -> Bool {
    if waitsForReader { hopes = 0 }
    guard isHopeful, hopes < ProgressWatch.hopesMax else { return false }
    if !waitsForReader { hopes += 1 }
    return true
  }
}
