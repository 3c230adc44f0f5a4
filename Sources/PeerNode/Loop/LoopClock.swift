// Time as a loop sees it: a monotonic clock without the time in which the process was stopped.
import Posix
import Transfer

/// A clock for one loop. A gap of over a second that the loop did not ask for (SIGSTOP, a suspended machine) is left
/// out, so that no deadline passes while the process could not meet it.
struct LoopClock {
  /// Gaps up to this are the scheduler's and count as time.
  static let gapMax = Duration.seconds(1)

  private let read: @Sendable () -> Int64
  private var skipped: Int64 = 0
  private var lastRaw: Int64

  /// `read`: nanoseconds of a clock that never goes back.
  init(read: @escaping @Sendable () -> Int64 = { Clock.monotonicNanoseconds }) {
    self.read = read
    lastRaw = read()
  }

  /// The time now. Call it before waiting.
  mutating func now() -> Instant {
    lastRaw = read()
    return Instant(nanoseconds: lastRaw - skipped)
  }

  /// The time after a wait that was asked to last `milliseconds` at most (−1: as long as it takes).
  mutating func now(afterWaiting milliseconds: Int32) -> Instant {
    let raw = read()
    if milliseconds >= 0 {
      let gap = raw - lastRaw - Int64(milliseconds) * 1_000_000
      if gap > LoopClock.gapMax.wholeNanoseconds { skipped += gap }
    }
    lastRaw = raw
    return Instant(nanoseconds: raw - skipped)
  }
}
