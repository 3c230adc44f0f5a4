// What a connection may make a node hash again: as much as it is sent, and little more.
import Testing

@testable import Transfer

@Suite struct RehashBudgetTests {
  private let chunk = 1 << 20
  private let leaf = 16 << 10

  /// How many of 10,015 chunks are refused. From the 16th on, a part of a chunk is sent for each.
  private func refusals(_ budget: inout RehashBudget, sending byteCount: Int) -> Int {
    var refused = 0
    for number in 1...10_015 {
      if !budget.take(chunk, at: .zero) { refused += 1 }
      if number > 15 { budget.sent(byteCount) }
    }
    return refused
  }

  @Test func `a peer that asks for whole chunks never meets the limit, with 16 of them in flight`() {
    var budget = RehashBudget()
    #expect(refusals(&budget, sending: chunk) == 0)
  }

  @Test func `a peer that asks for a quarter of each chunk never meets it either`() {
    var budget = RehashBudget()
    #expect(refusals(&budget, sending: chunk / 4) == 0)
  }

  @Test
  func `a peer that asks for single leaves has little hashed: 16 MiB, four bytes for each one sent, 1 MiB a second`() {
    var budget = RehashBudget()
    var (hashed, sent) = (0, 0)
    for milliseconds in 0..<10_000 as Range<Int64> {
      guard budget.take(chunk, at: .milliseconds(milliseconds)) else { continue }
      hashed += chunk
      sent += leaf
      budget.sent(leaf)
    }
    #expect(hashed <= 16 << 20 + 4 * sent + 10 << 20 && hashed >= 26 << 20, "\(hashed)")
  }

  @Test func `what is not hashed costs nothing, and bytes that were sent add up to 64 chunks at most`() {
    var budget = RehashBudget()
    for _ in 0..<1_000 { budget.sent(chunk) }
    let taken = (0..<1_000).count { _ in budget.take(chunk, at: .zero) }
    #expect(taken == 64 + 16)
    let more = [0, 1].map { budget.take($0, at: .zero) }
    #expect(more == [true, false])
  }
}
