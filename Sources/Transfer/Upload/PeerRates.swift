// The upload limit of each peer: the rate for one address, over all its connections.

/// A token bucket for each address that got bytes lately. The limit counts by address, not by PeerID, because a program
/// can make any number of PeerIDs at no cost. Not shared between threads.
public struct PeerRates: Sendable {
  /// With more buckets than this, full ones are dropped. By default a node has at most as many inbound connections.
  static let bucketsMin = 1_024

  private let bytesPerSecond: UInt64
  private let burst: UInt64
  private var buckets: [PackedIP: RateLimiter] = [:]
  private var bucketsMax = PeerRates.bucketsMin

  /// - `bytesPerSecond`: any rate. It is clamped to what the bucket can count, which is more than a network carries.
  /// - `burst`: bytes that may leave at once after a pause; at least the size of the largest upload.
  public init(bytesPerSecond: UInt64, burst: UInt64) {
    self.bytesPerSecond = min(max(bytesPerSecond, 1), RateLimiter.bytesPerSecondMax)
    self.burst = burst
  }

  /// Returns how long an upload of so many bytes to an address has to wait; zero if it may leave now.
  /// - `ip`: 16 bytes; IPv4 as `::ffff:a.b.c.d`.
  public mutating func delay(of byteCount: Int, to ip: [UInt8], at now: Instant) -> Duration {
    buckets[PackedIP(ip)]?.delay(until: byteCount, at: now) ?? .zero
  }

  /// Counts bytes that are sent to an address.
  public mutating func sent(_ byteCount: Int, to ip: [UInt8], at now: Instant) {
    let key = PackedIP(ip)
    if buckets[key] == nil, buckets.count >= bucketsMax { dropFull(at: now) }
    _ = buckets[
      key, default: RateLimiter(bytesPerSecond: bytesPerSecond, burst: burst, at: now)
    ].take(upTo: byteCount, at: now)
  }

  /// Drops full buckets: a new bucket would be full as well.
  private mutating func dropFull(at now: Instant) {
    for (key, bucket) in buckets {
      var bucket = bucket
      if bucket.delay(until: Int(burst), at: now) == .zero { buckets[key] = nil }
    }
    bucketsMax = max(PeerRates.bucketsMin, 2 * buckets.count)
  }

  /// How many buckets are remembered.
  var count: Int { buckets.count }
}
