// A token bucket: it limits the bytes a second over time, and the bytes at once.

/// The bucket is full at the start. It counts in units of 10⁻⁹ bytes, so that even one nanosecond adds credit.
public struct RateLimiter: Sendable {
  private static let unit: UInt64 = 1_000_000_000
  /// 8 GiB a second: the highest rate that the counter can hold.
  public static let bytesPerSecondMax: UInt64 = 1 << 33

  public let bytesPerSecond: UInt64
  /// The most bytes at once.
  public let burst: UInt64
  private var credit: UInt64
  private var last: Instant

  /// - `bytesPerSecond`, `burst`: at least 1, at most `bytesPerSecondMax`.
  public init(bytesPerSecond: UInt64, burst: UInt64, at now: Instant) {
    let bounds = 1...RateLimiter.bytesPerSecondMax
    precondition(bounds.contains(bytesPerSecond) && bounds.contains(burst), "a rate is bounded")
    self.bytesPerSecond = bytesPerSecond
    self.burst = burst
    credit = burst * RateLimiter.unit
    last = now
  }

  /// Takes the available bytes, at most `count`. Returns how many it took.
  public mutating func take(upTo count: Int, at now: Instant) -> Int {
    refill(at: now)
    let taken = min(UInt64(max(count, 0)), credit / RateLimiter.unit)
    credit -= taken * RateLimiter.unit
    return Int(taken)
  }

  /// Returns the time until `count` bytes (at most the burst) are available; zero if they are available now.
  public mutating func delay(until count: Int, at now: Instant) -> Duration {
    refill(at: now)
    let wanted = min(UInt64(max(count, 0)), burst) * RateLimiter.unit
    guard wanted > credit else { return .zero }
    let missing = wanted - credit
    return .nanoseconds(Int64(missing / bytesPerSecond + (missing % bytesPerSecond == 0 ? 0 : 1)))
  }

  private mutating func refill(at now: Instant) {
    guard now > last else { return }
    let elapsed = UInt64((now - last).wholeNanoseconds)
    last = now
    let (gained, overflow) = elapsed.multipliedReportingOverflow(by: bytesPerSecond)
    let full = burst * RateLimiter.unit
    credit = overflow || gained > full - credit ? full : credit + gained
  }
}
