// The memory limits of a download and the node's clock, each by itself.
import Posix
import Synchronization
import Testing
import Transfer
import TestSupport

@testable import PeerNode

@Suite struct BlockPoolTests {
  /// Returns blocks of a pool's only download. Its output is busy, so only the limit counts.
  private func blocks(of pool: BlockPool, onAvailable: @escaping @Sendable () -> Void = {}) -> DownloadBlocks {
    let blocks = DownloadBlocks(pool, of: DownloadID(1), onAvailable: onAvailable)
    blocks.handOver(1)
    return blocks
  }

  @Test func `a pool gives at most its limit of blocks, and reuses blocks that were given back`() throws {
    let pool = blocks(of: BlockPool(limit: 3))
    let blocks = (0..<3).compactMap { _ in pool.take() }
    #expect(blocks.count == 3)
    #expect(pool.take() == nil)
    blocks[0].append([1, 2, 3].span.bytes)
    pool.giveBack(blocks[0])
    #expect(try #require(pool.take()).count == 0, "a block comes empty")
    #expect(pool.take() == nil)
  }

  @Test func `blocks beyond the limit are freed when they are given back`() {
    let pool = blocks(of: BlockPool(limit: 2))
    for _ in 0..<10 {
      let blocks = (0..<5).map { _ in pool.takeBeyondLimit() }
      #expect(pool.inUseCount == 5)
      for block in blocks { pool.giveBack(block) }
      #expect(pool.inUseCount == 0)
      let two = [pool.take(), pool.take()]
      #expect(two.allSatisfy { $0 != nil } && pool.take() == nil)
      for case let block? in two { pool.giveBack(block) }
    }
  }

  @Test func `a download that waits for a block is notified once when a quarter is free`() {
    let calls = Atomic<Int>(0)
    let pool = blocks(of: BlockPool(limit: 8)) { calls.add(1, ordering: .relaxed) }
    let blocks = (0..<8).compactMap { _ in pool.take() }
    pool.giveBack(blocks[0])
    #expect(calls.load(ordering: .relaxed) == 0, "no connection waits")
    _ = pool.take()
    #expect(pool.take() == nil)
    pool.giveBack(blocks[1])
    #expect(calls.load(ordering: .relaxed) == 0)
    for block in blocks[2...] { pool.giveBack(block) }
    #expect(calls.load(ordering: .relaxed) == 1)
  }

  @Test func `a download whose output holds all its blocks may take one when the last is verified`() throws {
    let calls = Atomic<Int>(0)
    let pool = DownloadBlocks(BlockPool(limit: 4), of: DownloadID(1)) { calls.add(1, ordering: .relaxed) }
    let slow = (0..<3).compactMap { _ in pool.take() }  // their bytes arrive slowly
    let last = try #require(pool.take())
    pool.handOver(1)
    #expect(pool.take() == nil)
    pool.verified(last)
    #expect(calls.load(ordering: .relaxed) == 1)
    #expect(pool.take() != nil && pool.take() != nil, "slow peers keep no block from the others")
    #expect(slow.count == 3)
  }
}

@Suite struct LoopClockTests {
  /// A clock that stands still until the test moves it.
  private final class Raw: Sendable {
    let nanoseconds = Atomic<Int64>(5_000_000_000)
    func advance(_ milliseconds: Int64) { nanoseconds.add(milliseconds * 1_000_000, ordering: .relaxed) }
  }

  @Test func `the loop clock skips an overlong wait, and counts a delay of up to 1 s`() {
    let raw = Raw()
    var clock = LoopClock { raw.nanoseconds.load(ordering: .relaxed) }
    let start = clock.now()
    raw.advance(700)
    #expect(clock.now(afterWaiting: 500) - start == .milliseconds(700))
    raw.advance(1_400)
    #expect(clock.now(afterWaiting: 500) - start == .milliseconds(2_100), "0.9 s late is the scheduler")
    raw.advance(60_500)
    #expect(clock.now(afterWaiting: 500) - start == .milliseconds(2_600), "a minute late was a stop")
    raw.advance(10)
    #expect(clock.now() - start == .milliseconds(2_610))
  }

  @Test func `the loop clock counts a wait without timeout in full`() {
    let raw = Raw()
    var clock = LoopClock { raw.nanoseconds.load(ordering: .relaxed) }
    let start = clock.now()
    raw.advance(90_000)
    #expect(clock.now(afterWaiting: -1) - start == .seconds(90))
  }

  @Test func `the system's clock does not run backwards`() {
    var clock = LoopClock()
    var last = clock.now()
    for _ in 0..<1_000 {
      let now = clock.now(afterWaiting: 0)
      #expect(now >= last)
      last = now
    }
  }
}
