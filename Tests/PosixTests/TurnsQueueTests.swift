// The order in which work of several owners is handed out. The test's own thread is the worker.
import Posix
import Synchronization
import Testing

@Suite struct TurnsQueueTests {
  @Test func `lanes take turns, and the elements of each come in order`() {
    let queue = TurnsQueue<String>(runningMaxAlone: 4, runningMax: 4)
    let (a, b, c) = (queue.makeLane(), queue.makeLane(), queue.makeLane())
    queue.put(contentsOf: ["a1", "a2", "a3"], in: a)
    queue.put(contentsOf: ["b1"], in: b)
    queue.put(contentsOf: ["c1", "c2"], in: c)
    queue.close()
    var taken: [String] = []
    while let (lane, element) = queue.take() {
      taken.append(element)
      queue.finished(lane)
    }
    #expect(taken == ["a1", "b1", "c1", "a2", "c2", "a3"])
  }

  @Test func `a lane runs at most its number of elements, and other lanes go before it`() throws {
    let queue = TurnsQueue<String>(runningMaxAlone: 1, runningMax: 1)
    let (a, b) = (queue.makeLane(), queue.makeLane())
    queue.put(contentsOf: ["a1", "a2"], in: a)
    queue.put(contentsOf: ["b1"], in: b)
    queue.close()
    let first = try #require(queue.take())
    #expect(first.element == "a1")
    #expect(queue.busyLanes == 2)
    let second = try #require(queue.take())
    #expect(second.element == "b1")
    #expect(queue.take() == nil, "each lane runs one already")
    queue.finished(first.lane)
    #expect(try #require(queue.take()).element == "a2")
    #expect(queue.busyLanes == 2)
  }

  @Test func `a lane may run more elements while it is the only lane`() throws {
    let queue = TurnsQueue<Int>(runningMaxAlone: 2, runningMax: 1)
    let lane = queue.makeLane()
    queue.put(contentsOf: [1, 2, 3], in: lane)
    queue.close()
    let first = try #require(queue.take())
    let second = try #require(queue.take())
    #expect(queue.take() == nil)
    queue.finished(first.lane)
    queue.finished(second.lane)
    let other = queue.makeLane()
    #expect(try #require(queue.take()).element == 3)
    queue.put(contentsOf: [4, 5], in: lane)
    #expect(queue.take() == nil, "the other lane's elements may come at any time")
    _ = queue.close(other, discarding: false) {}
    #expect(try #require(queue.take()).element == 4)
  }

  @Test func `lanes with work share the places`() throws {
    let queue = TurnsQueue<Int>(runningMaxAlone: 4, runningMax: 3)
    let (a, b) = (queue.makeLane(), queue.makeLane())
    queue.put(contentsOf: [1, 2, 3, 4, 5], in: a)
    queue.put(contentsOf: [9], in: b)
    queue.close()
    let taken = (0..<3).compactMap { _ in queue.take() }
    #expect(taken.map(\.element) == [1, 9, 2])
    #expect(queue.take() == nil, "two lanes have two places each")
    queue.finished(taken[1].lane)
    #expect(try #require(queue.take()).element == 3)
    #expect(queue.take() == nil, "a place is left for the other lane")
  }

  @Test func `long work never takes all places`() throws {
    let queue = TurnsQueue<Int>(runningMaxAlone: 1, runningMax: 1, longRunningMax: 1)
    let (a, b) = (queue.makeLane(isLong: true), queue.makeLane(isLong: true))
    let short = queue.makeLane()
    for (i, lane) in [a, b, short].enumerated() { queue.put(contentsOf: [i], in: lane) }
    queue.close()
    let first = try #require(queue.take())
    #expect(first.element == 0)
    #expect(try #require(queue.take()).element == 2, "the short one goes before the second long one")
    #expect(queue.take() == nil)
    queue.finished(first.lane)
    #expect(try #require(queue.take()).element == 1)
  }

  @Test(arguments: [false, true])
  func `a lane reports its end once, after its last element`(discarding: Bool) throws {
    let queue = TurnsQueue<Int>(runningMaxAlone: 2, runningMax: 2)
    let lane = queue.makeLane()
    let ends = Atomic<Int>(0)
    queue.put(contentsOf: [1, 2], in: lane)
    let first = try #require(queue.take())
    let dropped = queue.close(lane, discarding: discarding) { ends.add(1, ordering: .relaxed) }
    #expect(dropped == (discarding ? [2] : []))
    #expect(!queue.put(contentsOf: [3], in: lane))
    #expect(ends.load(ordering: .relaxed) == 0)
    queue.finished(first.lane)
    if !discarding {
      #expect(ends.load(ordering: .relaxed) == 0)
      queue.finished(try #require(queue.take()).lane)
    }
    #expect(ends.load(ordering: .relaxed) == 1)
    let idle = queue.makeLane()
    #expect(queue.close(idle, discarding: false) { ends.add(1, ordering: .relaxed) }.isEmpty)
    #expect(ends.load(ordering: .relaxed) == 2, "an idle lane ends at once")
  }

  @Test func `sleeping workers wake up, and every element is taken once`() {
    let queue = TurnsQueue<Int>(runningMaxAlone: 3, runningMax: 2)
    let lanes = (0..<5).map { _ in queue.makeLane() }
    let sum = Atomic<Int>(0)
    let workers = (0..<3).map { _ in
      Thread.start(name: "worker") {
        while let (lane, element) = queue.take() {
          sum.add(element, ordering: .relaxed)
          queue.finished(lane)
        }
      }
    }
    for i in 1...1_000 { queue.put(contentsOf: [i], in: lanes[i % 5]) }
    queue.close()
    for worker in workers { worker.join() }
    #expect(sum.load(ordering: .relaxed) == 500_500)
  }
}
