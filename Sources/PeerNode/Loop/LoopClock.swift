// The clock of a loop: monotonic time, without the time in which the process was stopped.
import Posix
import Transfer

/// A clock for one loop. A gap of over a second that the loop did not ask for (SIGSTOP, a suspended machine) is left
/// out, so that no deadline passes while the process could not meet it.
struct LoopClock {
  /// Shorter gaps come from the kernel's scheduler and count as time.
  static let gapMax = Duration.seconds(1)

  private let read: @Sendable () -> Int64
  private var skipped: Int64 = 0
  private var lastRaw: Int64

  /// - `read`: returns the nanoseconds of a clock that never goes back.
  init(read: @escaping @Sendable () -> Int64 = { Clock.monotonicNanoseconds }) {
    self.read = read
    lastRaw = read()
  }

  /// Returns the time now. Call it before a wait.
  mutating func now() -> Instant {
    lastRaw = read()
    return Instant(nanoseconds: lastRaw - skipped)
  }

  /// Returns the time after a wait whose timeout was `milliseconds` (−1: none).
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
