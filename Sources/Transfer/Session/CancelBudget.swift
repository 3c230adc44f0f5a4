// A limit on the requests of one connection that the peer takes back before any byte of their answer is sent.
import Wire

/// REQUEST and CANCEL in turns never fill the queue of requests. They cost no upload, and make the node look up and
/// promise chunks for nothing. So the requests that a peer takes back by CANCEL or CLOSE, before a leaf of the answer
/// was sent, are counted. A peer that takes back too many gets BUSY, and nothing is looked up for its requests.
///
/// An honest downloader cancels a request that another peer answered first, or that took too long. It has few requests
/// on a connection and sends each again only after a while, so it stays far below the limit (`CancelBudgetTests`).
struct CancelBudget: Sendable {
  static let perSecond = UInt64(NodeLimits.takenBackPerSecond)
  static let burst = UInt64(NodeLimits.takenBackAtOnceMax)

  /// The bucket is full until its first use, so the start time does not matter.
  private var limiter = RateLimiter(bytesPerSecond: CancelBudget.perSecond, burst: CancelBudget.burst, at: .zero)

  /// Counts requests that were taken back.
  mutating func spend(_ requestCount: Int, at now: Instant) { _ = limiter.take(upTo: requestCount, at: now) }

  /// Returns whether the next request may be looked up.
  mutating func hasRoom(at now: Instant) -> Bool { limiter.delay(until: 1, at: now) == .zero }
}
