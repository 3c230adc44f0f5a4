// What a failure costs: rounds in which each peer gets one try.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct RetryRoundsTests {
  private let chunk = FetchItem.chunk(ChunkIndex(3))

  private func failing(_ peers: [Int], of members: Set<Int>) -> RetryRounds {
    var rounds = RetryRounds()
    for peer in peers { rounds.fail(chunk, by: peer, peerID(UInt8(peer)), .timeout, .failed, members: members) }
    return rounds
  }

  @Test func `a round ends when each member has failed or left`() {
    let rounds = failing([1, 2], of: [1, 2, 3])
    #expect(!rounds.isOver(chunk) { _ in true })
    #expect(rounds.isOver(chunk) { $0 != 3 })
    #expect(failing([1, 2, 3], of: [1, 2, 3]).isOver(chunk) { _ in true })
    #expect(!rounds.isOver(.page(PageIndex(3))) { _ in false })
  }

  @Test func `a proven peer that left does not count as failed`() {
    var rounds = RetryRounds()
    rounds.fail(chunk, by: 1, peerID(1), .connectionLost(.reset), .left, members: [1])
    #expect(!rounds.isOver(chunk) { _ in true })
    #expect(rounds.isOver(chunk) { _ in false })
    #expect(rounds[chunk]?.standing(of: 1) == .untried)
  }

  @Test func `peers that failed in an earlier round come after those that did not`() {
    var rounds = failing([1, 2], of: [1, 2])
    let attempts = rounds.end(chunk, costsRetry: true)
    #expect(attempts.retries == 1 && attempts.members == nil)
    #expect(attempts.standing(of: 1) == .failedBefore && attempts.standing(of: 3) == .untried)
    #expect(!rounds.isOver(chunk) { _ in false }, "the next round has not begun")
  }

  @Test func `fewer than four new leaves do not reset the retries`() {
    var rounds = failing([1], of: [1])
    _ = rounds.end(chunk, costsRetry: true)
    rounds.gained(3, of: ChunkIndex(3))
    #expect(rounds[chunk]?.retries == 1)
    rounds.gained(1, of: ChunkIndex(3))
    #expect(rounds[chunk]?.retries == 0)
  }

  @Test func `a round that costs no retry still makes the next delay longer`() {
    var rounds = failing([1], of: [1])
    let attempts = rounds.end(chunk, costsRetry: false)
    #expect(attempts.retries == 0 && attempts.lostRounds == 1)
  }

  @Test func `an item waits longer after each lost round, until it is verified`() {
    var generator = SeededGenerator(seed: 1)
    var rounds = failing([1], of: [1])
    _ = rounds.end(chunk, costsRetry: true)
    let first = rounds.rest(chunk, at: .zero, using: &generator)
    #expect(first >= .milliseconds(400) && first <= .milliseconds(600))
    #expect(rounds.restingCount == 1 && rounds.deadline == .zero + first)
    #expect(rounds.nextDue(at: .milliseconds(399)) == nil && rounds.nextDue(at: .milliseconds(600)) == chunk)
    _ = rounds.end(chunk, costsRetry: false)
    let second = rounds.rest(chunk, at: .zero, using: &generator)
    #expect(second >= .milliseconds(800) && second <= .milliseconds(1200))
    rounds.remove(chunk)
    #expect(rounds.restingCount == 0 && rounds.deadline == nil)
  }

  @Test func `a peer number that is reused belongs to no round`() {
    var rounds = failing([1], of: [1, 2])
    rounds.forget(1)
    #expect(rounds[chunk]?.standing(of: 1) == .untried && rounds[chunk]?.members == [2])
  }
}

@Suite struct StrangerPaceTests {
  private func group(_ number: UInt8) -> AddressGroup { AddressGroup(ip: ipv4(number)) }

  @Test func `the fifth failure of an address group makes it wait, and each further one doubles the wait`() {
    var pace = StrangerPace()
    for _ in 0..<StrangerPace.failuresFree { pace.failed(group(1), at: .zero) }
    #expect(!pace.isWaiting(group(1)))
    pace.failed(group(1), at: .zero)
    #expect(pace.until(group(1)) == .milliseconds(250))
    pace.failed(group(1), at: .zero)
    #expect(pace.until(group(1)) == .milliseconds(500))
    for _ in 0..<20 { pace.failed(group(1), at: .zero) }
    #expect(pace.until(group(1)) == .seconds(16))
    #expect(!pace.isWaiting(group(2)))
    #expect(pace.release(at: .seconds(16)) == nil)
    #expect(!pace.isWaiting(group(1)))
  }

  @Test func `an address group is forgiven when one of its peers is proven, or after a minute without failures`() {
    var pace = StrangerPace()
    for _ in 0..<9 { pace.failed(group(1), at: .zero) }
    pace.proved(group(1))
    pace.failed(group(1), at: .zero)
    #expect(!pace.isWaiting(group(1)))
    for _ in 0..<9 { pace.failed(group(2), at: .zero) }
    _ = pace.release(at: .seconds(60))
    pace.failed(group(2), at: .seconds(61))
    #expect(!pace.isWaiting(group(2)))
  }

  @Test func `any number of address groups takes bounded memory`() {
    var table = RecentTable<Int, Int>(capacity: 100)
    for i in 0...100_000 {
      table[i] = i
      if i % 3 == 0 { table[i] = nil }
    }
    #expect(table.count == 100 && table[100_000] == 100_000 && table[0] == nil)
  }
}
