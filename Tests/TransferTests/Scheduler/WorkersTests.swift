// Workers: which peers each one owns, when it drops a peer, and how its waits are counted.
import Testing

@testable import Transfer

@Suite struct WorkersTests {
  /// Two workers and the peers 0, 1 and 2.
  private var twoWorkers: Workers {
    var workers = Workers(max: 2)
    for number in 0...2 { _ = workers.join(number) }
    return workers
  }

  @Test func `there is a worker for each live peer up to the maximum`() {
    var workers = Workers(max: 2)
    #expect(workers.count == 0 && workers.live.isEmpty)
    _ = workers.join(5)
    #expect(workers.count == 1 && workers.owner(of: 5) == 0)
    for number in [1, 2] { _ = workers.join(number) }
    #expect(workers.count == 2 && workers.live == [1, 2, 5])
    #expect(workers.set(of: 0) == [2] && workers.set(of: 1) == [1, 5])
    for number in [1, 2, 5] { _ = workers.leave(number) }
    #expect(workers.count == 0 && workers.owner(of: 5) == nil)
  }

  @Test func `a worker drops a peer that leaves`() {
    var workers = twoWorkers
    workers[1].peer = 1
    workers[1].stays = true
    #expect(workers.leave(1) == [1])
    #expect(workers[1].peer == nil && !workers[1].stays && workers.drivenPeers.isEmpty)
  }

  @Test func `a worker drops a peer that another worker owns after peers come or leave`() {
    var workers = twoWorkers
    workers[0].peer = 1
    workers[1].peer = 2
    #expect(workers.join(4) == [1, 2], "each drove a peer of the other")
    workers[0].peer = 0
    workers[1].peer = 1
    #expect(workers.join(6) == [] && workers.leave(4) == [])
    #expect(workers.drivenPeers == [0, 1], "each keeps its own")
  }

  @Test func `the peer of a removed worker is dropped too`() {
    var workers = twoWorkers
    workers[1].peer = 1
    _ = workers.leave(0)
    #expect(workers.leave(2) == [1] && workers.count == 1)
  }

  @Test func `a worker that turns away remembers the peer that failed`() {
    var workers = twoWorkers
    workers[0].peer = 0
    workers[0].stays = true
    workers.turnAway(0, from: 0)
    #expect(workers[0] == Worker(peer: 0, failed: 0, stays: false))
    #expect(workers.others(of: 0, after: 0) == [2])
    workers.forget(2)
    #expect(workers[0].failed == 0)
    workers.forget(0)
    #expect(workers[0].failed == nil)
  }

  @Test func `an answer of its peer frees a worker that stays with it`() {
    var workers = twoWorkers
    workers[0].peer = 2
    workers[0].stays = true
    workers.answered(0, by: 0)
    workers.answered(7, by: 2)
    #expect(workers[0].stays, "another peer answered, or it was asked by a worker that is gone")
    workers.answered(0, by: 2)
    #expect(!workers[0].stays)
  }

  @Test func `the first worker with a matching peer is found`() {
    var workers = twoWorkers
    workers[0].peer = 0
    #expect(workers.first { $0 == nil } == 1)
    #expect(workers.first { $0 == 0 } == 0)
    #expect(workers.first { $0 == 2 } == nil)
  }

  @Test func `waits of a worker are counted until it is removed`() {
    var workers = twoWorkers
    workers.turn(0, to: .hashes, at: .zero)
    workers.turn(1, to: .answers, at: .zero)
    workers.stopOtherClocks(at: .seconds(1))
    workers.turn(0, to: .answers, at: .seconds(2))
    for number in [0, 1] { _ = workers.leave(number) }
    workers.stopOtherClocks(at: .seconds(3))
    let waits = workers.waits(until: .seconds(10))
    #expect(waits.count == 2, "also of the worker that is gone")
    #expect(waits[0][.hashes] == .seconds(2) && waits[0][.answers] == .seconds(8))
    #expect(waits[1][.answers] == .seconds(3) && waits[1].total == .seconds(3))
  }
}
