// Chunks and pages that failed and wait for their next try.
import Content

/// The delay before retry k is 0.5 s × 2^(k−1), at most 10 s, then ± 20 %.
struct RetryQueue: Sendable {
  static let firstDelay: Duration = .milliseconds(500)
  static let delayMax: Duration = .seconds(10)

  private var due = DeadlineQueue<FetchItem>()

  var deadline: Instant? { due.next }
  var count: Int { due.count }

  /// Returns the delay before retry `attempt` (from 1), without jitter.
  static func delay(beforeRetry attempt: Int) -> Duration {
    precondition(attempt >= 1, "retries count from 1")
    return min(firstDelay * (1 << min(attempt - 1, 16)), delayMax)
  }

  /// Adds a chunk or page. Returns how long it waits.
  mutating func add(
    _ item: FetchItem, attempt: Int, at now: Instant, using generator: inout SeededGenerator
  ) -> Duration {
    let perMillion = Int64.random(in: 800_000...1_200_000, using: &generator)
    let base = RetryQueue.delay(beforeRetry: attempt).wholeNanoseconds
    let delay = Duration.nanoseconds(base / 1_000_000 * perMillion)
    due.set(item, at: now + delay)
    return delay
  }

  /// Removes a chunk or page. False if it does not wait.
  @discardableResult mutating func remove(_ item: FetchItem) -> Bool {
    let waits = due[item] != nil
    due.cancel(item)
    return waits
  }
  mutating func nextDue(at now: Instant) -> FetchItem? { due.popDue(at: now) }
}
