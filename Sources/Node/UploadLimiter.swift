// One limit on what leaves, shared by all the loops of a node.
import Synchronization
import Transfer

/// A token bucket that any thread may ask, or none.
final class UploadLimiter: Sendable {
  private struct State: Sendable {
    var bytesPerSecond: UInt64?
    /// Made when it is first asked, at the time of a loop: no other clock leaves out what the loops' clocks do.
    var bucket: RateLimiter?
  }

  private let state: Mutex<State>
  /// Bytes that may leave at once after a pause: small enough that a second's average is the limit.
  private static let burst: UInt64 = 256 << 10

  /// Any rate: more than the bucket can count is no limit that a network reaches. Nil: no limit.
  init(bytesPerSecond: UInt64?) { state = Mutex(State(bytesPerSecond: bytesPerSecond)) }

  /// Another limit from now on.
  func change(to bytesPerSecond: UInt64?) { state.withLock { $0 = State(bytesPerSecond: bytesPerSecond) } }

  private static func bucket(_ bytesPerSecond: UInt64?, at now: Instant) -> RateLimiter? {
    bytesPerSecond.map {
      RateLimiter(bytesPerSecond: min(max($0, 1), RateLimiter.bytesPerSecondMax), burst: burst, at: now)
    }
  }

  /// Nil: the bytes may leave now, and are counted. Else how long to wait before asking again.
  func wait(toSend bytes: Int, at now: Instant) -> Duration? {
    state.withLock { state in
      if state.bucket == nil { state.bucket = UploadLimiter.bucket(state.bytesPerSecond, at: now) }
      guard let delay = state.bucket?.delay(until: bytes, at: now) else { return nil }
      guard delay == .zero else { return delay }
      _ = state.bucket?.take(upTo: bytes, at: now)
      return nil
    }
  }
}
