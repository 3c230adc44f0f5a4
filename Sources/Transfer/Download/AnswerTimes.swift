// Where the time of a peer's answers went.

/// Sums over requests that were answered and verified to their end; the five follow one another in each.
public struct AnswerTimes: Hashable, Sendable {
  /// Requests that were answered and verified to their end.
  public private(set) var answers = 0
  /// From when a request was sent until it was first in line: other answers came on its connection.
  public private(set) var queue: Duration = .zero
  /// From then to its first byte.
  public private(set) var firstByte: Duration = .zero
  /// From its first byte to its last.
  public private(set) var transfer: Duration = .zero
  /// From its last byte until its last leaf was hashed.
  public private(set) var verification: Duration = .zero
  /// What writing the last leaves took.
  public private(set) var writing: Duration = .zero

  /// No answers yet.
  public init() {}

  /// Over answers, all but the queue; zero where there was none.
  public var averageLatency: Duration {
    answers > 0 ? (firstByte + transfer + verification + writing) / answers : .zero
  }

  mutating func add(_ other: AnswerTimes) {
    answers += other.answers
    queue += other.queue
    firstByte += other.firstByte
    transfer += other.transfer
    verification += other.verification
    writing += other.writing
  }

  /// A request is verified to its end now.
  mutating func add(_ request: PendingRequest, at now: Instant) {
    let started = request.started ?? request.sent
    let ended = min(max(request.ended ?? now, started), now)
    let began = min(max(request.began ?? started, started), ended)
    let write = min(request.lastWrite, now - ended)
    answers += 1
    queue += max(started - request.sent, .zero)
    firstByte += began - started
    transfer += ended - began
    verification += now - ended - write
    writing += write
  }
}
