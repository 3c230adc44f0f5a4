// A point on a monotonic clock. The caller reads the clock; the brain only compares and adds.

/// Nanoseconds since an arbitrary start that stays the same for a process or a simulation.
public struct Instant: Hashable, Comparable, Sendable {
  public var nanoseconds: Int64

  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  public static let zero = Instant(nanoseconds: 0)

  public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
  /// Clamped to the range of Int64, since a calling program may pass a duration of any length.
  public static func + (a: Instant, b: Duration) -> Instant {
    let added = b.wholeNanoseconds
    let (sum, overflow) = a.nanoseconds.addingReportingOverflow(added)
    return Instant(nanoseconds: overflow ? (added < 0 ? .min : .max) : sum)
  }
  public static func - (a: Instant, b: Instant) -> Duration { .nanoseconds(a.nanoseconds - b.nanoseconds) }
}

extension Duration {
  /// The duration in nanoseconds; clamped to the range of Int64 (±292 years).
  public var wholeNanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    if overflow { return seconds < 0 ? .min : .max }
    let (sum, overflowed) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
    return overflowed ? (seconds < 0 ? .min : .max) : sum
  }

  /// The duration in seconds.
  public var inSeconds: Double { Double(wholeNanoseconds) / 1e9 }
}
