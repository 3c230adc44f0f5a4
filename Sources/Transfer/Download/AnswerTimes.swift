// How the time of a peer's answers divides into waiting, transfer, verification and writing.

/// Sums over requests that were answered and verified in full. Each request passes through the five phases in this
/// order.
public struct AnswerTimes: Hashable, Sendable {
  /// Requests that were answered and verified in full.
  public private(set) var answers = 0
  /// From the sending of a request until it was first in line. Meanwhile other answers came on its connection.
  public private(set) var queue: Duration = .zero
  /// From first in line to the first byte of the answer.
  public private(set) var firstByte: Duration = .zero
  /// From the first byte to the last byte.
  public private(set) var transfer: Duration = .zero
  /// From the last byte until the last leaf was hashed.
  public private(set) var verification: Duration = .zero
  /// The writing of the last leaves.
  public private(set) var writing: Duration = .zero

  /// No answers yet.
  public init() {}

  /// The mean over all answers of all phases but the queue; zero if there was no answer.
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

  /// Adds a request whose answer is verified in full now.
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
