// One limit on what leaves, shared by all the loops of a node.
import Posix
import Synchronization
import Transfer

/// A token bucket that any thread may ask, or none.
final class UploadLimiter: Sendable {
  private struct State: Sendable {
    var bytesPerSecond: UInt64?
    var bucket: RateLimiter?
  }

  private let state: Mutex<State>
  /// The bucket's own clock. Those of the loops differ: each leaves out the gaps in which its own thread did not run, and
  /// a loop whose clock is behind would never see the bucket fill.
  private let readNanoseconds: @Sendable () -> Int64
  /// Bytes that may leave at once after a pause: small enough that a second's average is the limit.
  private static let burst: UInt64 = 256 << 10

  /// Any rate: more than the bucket can count is no limit that a network reaches. Nil: no limit.
  /// - `readNanoseconds`: a clock that never goes back.
  init(bytesPerSecond: UInt64?, readNanoseconds: @escaping @Sendable () -> Int64 = { Clock.monotonicNanoseconds }) {
    state = Mutex(State(bytesPerSecond: bytesPerSecond))
    self.readNanoseconds = readNanoseconds
  }

  /// Another limit from now on.
  func change(to bytesPerSecond: UInt64?) { state.withLock { $0 = State(bytesPerSecond: bytesPerSecond) } }

  private static func bucket(_ bytesPerSecond: UInt64, at now: Instant) -> RateLimiter {
    RateLimiter(bytesPerSecond: min(max(bytesPerSecond, 1), RateLimiter.bytesPerSecondMax), burst: burst, at: now)
  }

  /// Nil: the bytes may leave now, and are counted. Else how long to wait before asking again.
  func wait(toSend bytes: Int) -> Duration? {
    state.withLock { state in
      guard let bytesPerSecond = state.bytesPerSecond else { return nil }
      let now = Instant(nanoseconds: readNanoseconds())
      if state.bucket == nil { state.bucket = UploadLimiter.bucket(bytesPerSecond, at: now) }
      let delay = state.bucket!.delay(until: bytes, at: now)
      guard delay == .zero else { return delay }
      _ = state.bucket!.take(upTo: bytes, at: now)
      return nil
    }
  }
}
