// Which connections end when outboxes hold too much. A peer that reads is never chosen while there are others.
import Testing

@testable import Transfer

@Suite struct OutboxBudgetTests {
  private let budget = OutboxBudget(byteCountMax: 64 << 20)
  private let now = Instant.zero + .seconds(100)

  private func outbox(_ reader: ConnectionToken, _ kibibytes: Int, silent: Duration) -> OutboxBudget.Outbox {
    OutboxBudget.Outbox(reader: reader, byteCount: kibibytes << 10, taken: now + .zero - silent)
  }

  @Test func `memory is short above seven eighths of the budget`() {
    #expect(!budget.isShort(at: 56 << 20) && budget.isShort(at: 56 << 20 + 1))
  }

  @Test func `peers that take nothing are dropped, the largest outbox first, then the longest wait`() {
    let outboxes =
      (0..<100).map { outbox(ConnectionToken($0), 512, silent: .milliseconds(500)) }
      + [
        outbox(200, 300, silent: .seconds(1)), outbox(201, 400, silent: .seconds(2)),
        outbox(202, 400, silent: .seconds(3)),
      ]
    // 52,300 KiB, with a share of 49,152. When the three have gone, closing four with 512 each is enough.
    #expect(budget.ending(outboxes, loopCount: 1, at: now) == [202, 201, 200, 0, 1, 2, 3])
  }

  @Test func `a peer that reads and has at most one piece waiting is never dropped`() {
    let readers = (0..<900).map { outbox(ConnectionToken($0), 100, silent: .milliseconds(999)) }
    #expect(budget.ending(readers, loopCount: 1, at: now).isEmpty)
    let flood = [outbox(1_000, 300, silent: .zero)]
    #expect(budget.ending(readers + flood, loopCount: 1, at: now) == [1_000])
  }

  @Test func `a loop that holds no more than its share drops no connection for other loops`() {
    let outboxes = (0..<80).map { outbox(ConnectionToken($0), 300, silent: .seconds(9)) }
    #expect(budget.ending(outboxes, loopCount: 2, at: now).isEmpty)
    #expect(budget.ending(outboxes, loopCount: 3, at: now).count == 26)
  }
}

extension Instant {
  fileprivate static func - (a: Instant, b: Duration) -> Instant {
    Instant(nanoseconds: a.nanoseconds - b.wholeNanoseconds)
  }
}
