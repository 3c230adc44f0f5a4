// The upload limit of each peer: what one address may get, however many connections it has.

/// A token bucket for each address that got bytes lately. Addresses, and not PeerIDs: a program can have any number of
/// PeerIDs at no cost. Not shared between threads.
public struct PeerRates: Sendable {
  /// With more buckets than this, full ones are dropped. A node has fewer connections from outside unless told otherwise.
  static let bucketsMin = 1_024

  private let bytesPerSecond: UInt64
  private let burst: UInt64
  private var buckets: [PackedIP: RateLimiter] = [:]
  private var bucketsMax = PeerRates.bucketsMin

  /// - `bytesPerSecond`: any rate; what the bucket cannot count is no limit that a network reaches.
  /// - `burst`: bytes that may leave at once after a pause, at least those of the largest upload.
  public init(bytesPerSecond: UInt64, burst: UInt64) {
    self.bytesPerSecond = min(max(bytesPerSecond, 1), RateLimiter.bytesPerSecondMax)
    self.burst = burst
  }

  /// How long until so many bytes may leave for an address; zero: now.
  /// - `ip`: 16 bytes; IPv4 as `::ffff:a.b.c.d`.
  public mutating func delay(of byteCount: Int, to ip: [UInt8], at now: Instant) -> Duration {
    buckets[PackedIP(ip)]?.delay(until: byteCount, at: now) ?? .zero
  }

  /// Bytes leave for an address.
  public mutating func sent(_ byteCount: Int, to ip: [UInt8], at now: Instant) {
    let key = PackedIP(ip)
    if buckets[key] == nil, buckets.count >= bucketsMax { dropFull(at: now) }
    _ = buckets[
      key, default: RateLimiter(bytesPerSecond: bytesPerSecond, burst: burst, at: now)
    ].take(upTo: byteCount, at: now)
  }

  /// A full bucket is as good as none.
  private mutating func dropFull(at now: Instant) {
    for (key, bucket) in buckets {
      var bucket = bucket
      if bucket.delay(until: Int(burst), at: now) == .zero { buckets[key] = nil }
    }
    bucketsMax = max(PeerRates.bucketsMin, 2 * buckets.count)
  }

  /// Buckets that are remembered.
  var count: Int { buckets.count }
}
