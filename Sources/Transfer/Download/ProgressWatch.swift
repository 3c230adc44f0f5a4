// How long a download goes on without a new leaf.

/// A download in which no peer gives anything ends. With hope it goes on a few times: a proven or named peer has its
/// retries first.
struct ProgressWatch: Sendable {
  /// Timeouts without any verified leaf after which a download ends that knows strangers only.
  private static let timeoutsMax = 4
  /// How often this time may pass while a proven or named peer is connected. A peer can connect and leave without an
  /// answer for ever and spend no retry; a peer that fails spends all retries much sooner.
  private static let hopesMax = 3

  /// When a leaf was verified last.
  private var last = Instant.zero
  /// How often the download has continued without a new leaf since then, because a proven or named peer was connected.
  private var hopes = 0

  /// How long a download waits for a leaf.
  /// - `timeout`: of one chunk.
  static func timeMax(timeout: Duration) -> Duration { timeout * timeoutsMax }

  /// A missing leaf was verified.
  mutating func progressed(at now: Instant) { (last, hopes) = (now, 0) }

  /// No peer could give a leaf until now: chunks are compared with the disk.
  mutating func excuse(until now: Instant) { last = now }

  /// The reader of a stream has taken a chunk.
  mutating func readerTook() { hopes = 0 }

  /// How long no leaf was verified.
  func quiet(at now: Instant) -> Duration { now - last }

  /// When the wait for the next leaf is over.
  /// - `time`: how long it may take.
  func due(after time: Duration) -> Instant { last + time }

  /// The wait is over. Returns whether the download waits once more.
  /// - `isHopeful`: whether a proven or named peer has anything to give.
  /// - `waitsForReader`: whether a stream waits for its reader. Then there is no limit.
  mutating func mayGoOn(isHopeful: Bool, waitsForReader: Bool) -> Bool {
    if waitsForReader { hopes = 0 }
    guard isHopeful, hopes < ProgressWatch.hopesMax else { return false }
    if !waitsForReader { hopes += 1 }
    return true
  }
}
