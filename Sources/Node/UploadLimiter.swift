// One limit on what leaves, shared by all the loops of a node.
import Synchronization
import Transfer

/// A token bucket that any thread may ask.
final class UploadLimiter: Sendable {
  private let limiter: Mutex<RateLimiter>
  /// Bytes that may leave at once after a pause: small enough that a second's average is the limit.
  private static let burst: UInt64 = 256 << 10

  /// Any rate: more than the bucket can count is no limit that a network reaches.
  init(bytesPerSecond: UInt64, at now: Instant) {
    let rate = min(max(bytesPerSecond, 1), RateLimiter.bytesPerSecondMax)
    limiter = Mutex(RateLimiter(bytesPerSecond: rate, burst: UploadLimiter.burst, at: now))
  }

  /// Nil: the bytes may leave now, and are counted. Else how long to wait before asking again.
  func wait(toSend bytes: Int, at now: Instant) -> Duration? {
    limiter.withLock { limiter in
      let delay = limiter.delay(until: bytes, at: now)
      guard delay == .zero else { return delay }
      _ = limiter.take(upTo: bytes, at: now)
      return nil
    }
  }
}
