// A limit on the bytes that one connection makes the node read and hash again, to answer with leaf hashes.
import Wire

/// A download that shares a large file keeps the leaf hashes of some chunks (`LocalAvailability`). To answer a request
/// for the leaf hashes of another chunk, it reads and hashes the whole chunk, even if the request asks for one leaf. A
/// peer that asks for whole chunks makes it hash as much as it is sent, and never meets this limit. A peer that asks
/// for single leaves gets BUSY when the limit is reached.
public struct RehashBudget: Sendable {
  /// What sent bytes may add up to: as many full chunks as requests may be in flight.
  private static let earnedMax = ProtocolLimits.requestsInFlightMax << 20

  /// The bucket is full until its first use, so the start time does not matter.
  private var limiter = RateLimiter(
    bytesPerSecond: UInt64(NodeLimits.rehashedBytesPerSecond), burst: UInt64(NodeLimits.rehashedBytesAtOnceMax),
    at: .zero)
  private var earned = 0

  public init() {}

  /// Counts bytes of leaves that were sent.
  mutating func sent(_ byteCount: Int) {
    earned = min(earned + NodeLimits.rehashedBytesPerByteSent * byteCount, RehashBudget.earnedMax)
  }

  /// Takes the bytes of a chunk that is about to be hashed. False if the peer asks for too much.
  mutating func take(_ byteCount: Int, at now: Instant) -> Bool {
    let rest = max(byteCount - earned, 0)
    guard limiter.delay(until: rest, at: now) == .zero else { return false }
    earned -= byteCount - rest
    return limiter.take(upTo: rest, at: now) == rest
  }
}
