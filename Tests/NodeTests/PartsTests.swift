// The small parts of a node, each on its own.
import Posix
import Synchronization
import Testing
import Transfer

@testable import Node

@Suite struct AdmissionTests {
  private func halfOpen(_ token: UInt64, _ last: UInt8) -> Admission.HalfOpen {
    Admission.HalfOpen(token: token, loop: 0, ip: SocketAddress.loopback(1, last: last).ip)
  }

  @Test func `of too many half-open connections of one address its oldest goes`() {
    let admission = Admission(connectionsMax: 1_000)
    #expect(admission.begin(halfOpen(100, 2)) == nil)
    for token in 0..<UInt64(8) { #expect(admission.begin(halfOpen(token, 1)) == nil) }
    #expect(admission.begin(halfOpen(8, 1))?.token == 0)
    #expect(admission.begin(halfOpen(9, 1))?.token == 1)
  }

  @Test func `of too many half-open connections in all the oldest goes, whosever it is`() {
    let admission = Admission(connectionsMax: 40)
    for token in 0..<UInt64(10) { #expect(admission.begin(halfOpen(token, UInt8(token))) == nil) }
    #expect(admission.begin(halfOpen(10, 200))?.token == 0)
  }

  @Test func `a finished handshake makes room among the half-open`() {
    let admission = Admission(connectionsMax: 40)
    for token in 0..<UInt64(8) { #expect(admission.begin(halfOpen(token, 1)) == nil) }
    #expect(admission.establish(0))
    #expect(admission.begin(halfOpen(8, 1)) == nil)
    admission.end(1, wasEstablished: false)
    #expect(admission.begin(halfOpen(9, 1)) == nil)
    #expect(admission.begin(halfOpen(10, 1))?.token == 2)
  }

  @Test func `established connections are counted until they end`() {
    let admission = Admission(connectionsMax: 2)
    for token in 0..<UInt64(3) { _ = admission.begin(halfOpen(token, 1)) }
    #expect(admission.establish(0))
    #expect(admission.establish(1))
    #expect(!admission.establish(2))
    admission.end(2, wasEstablished: true)
    #expect(!admission.establish(3))
    admission.end(3, wasEstablished: true)
    admission.end(0, wasEstablished: true)
    #expect(admission.establish(4))
  }
}

@Suite struct BlockPoolTests {
  @Test func `a pool gives no more blocks than its limit, and those that came back`() throws {
    let pool = BlockPool(limit: 3) {}
    let blocks = (0..<3).compactMap { _ in pool.take() }
    #expect(blocks.count == 3)
    #expect(pool.take() == nil)
    blocks[0].append([1, 2, 3].span.bytes)
    pool.giveBack(blocks[0])
    #expect(try #require(pool.take()).count == 0, "a block comes empty")
    #expect(pool.take() == nil)
  }

  @Test func `blocks from beyond the limit do not stay in the pool`() {
    let pool = BlockPool(limit: 4) {}
    var out = (0..<4).compactMap { _ in pool.take() }
    for _ in 0..<4 { out.append(pool.takeBeyondLimit()) }
    for block in out { pool.giveBack(block) }
    var again = 0
    while pool.take() != nil { again += 1 }
    #expect(again == 4)
    // In whatever order they come back.
    let second = BlockPool(limit: 2) {}
    let (a, b) = (second.take()!, second.take()!)
    second.giveBack(second.takeBeyondLimit())
    #expect(second.take() == nil, "two are out already")
    second.giveBack(a)
    second.giveBack(b)
    #expect(second.take() != nil && second.take() != nil && second.take() == nil)
  }

  @Test func `who waits for a block is told once when a quarter is free`() {
    let calls = Atomic<Int>(0)
    let pool = BlockPool(limit: 8) { calls.add(1, ordering: .relaxed) }
    let blocks = (0..<8).compactMap { _ in pool.take() }
    pool.giveBack(blocks[0])
    #expect(calls.load(ordering: .relaxed) == 0, "nobody waits")
    _ = pool.take()
    #expect(pool.take() == nil)
    pool.giveBack(blocks[1])
    #expect(calls.load(ordering: .relaxed) == 0)
    for block in blocks[2...] { pool.giveBack(block) }
    #expect(calls.load(ordering: .relaxed) == 1)
  }
}

@Suite struct MailboxTests {
  @Test func `a mailbox is readable exactly while something waits in it`() throws {
    let mailbox = try Mailbox<Int>()
    var epoll = try Epoll()
    try epoll.add(mailbox.number, token: 1, .readable)
    func isReadable() throws -> Bool {
      var events = 0
      try epoll.wait(milliseconds: 0) { _, _ in events += 1 }
      return events > 0
    }
    #expect(try !isReadable())
    mailbox.send(1)
    mailbox.send(contentsOf: [2, 3])
    mailbox.send(contentsOf: [])
    #expect(try isReadable())
    #expect(mailbox.takeAll() == [1, 2, 3])
    #expect(try !isReadable())
    #expect(mailbox.takeAll() == [])
    mailbox.send(contentsOf: [4])
    #expect(try isReadable())
  }

  @Test func `nothing that many threads send is lost or out of order`() throws {
    let mailbox = try Mailbox<(sender: Int, number: Int)>()
    let senders = (0..<4).map { sender in
      Thread.start(name: "sender") { for i in 0..<2_000 { mailbox.send((sender, i)) } }
    }
    var epoll = try Epoll()
    try epoll.add(mailbox.number, token: 1, .readable)
    var next = [Int](repeating: 0, count: 4)
    while next.reduce(0, +) < 8_000 {
      var isWoken = false
      try epoll.wait(milliseconds: 10_000) { _, _ in isWoken = true }
      try #require(isWoken, "a message was sent and nobody was woken")
      for (sender, number) in mailbox.takeAll() {
        #expect(number == next[sender])
        next[sender] = number + 1
      }
    }
    for sender in senders { sender.join() }
  }
}

@Suite struct BlockingQueueTests {
  @Test func `elements come out in order, and nil when it is closed and empty`() {
    let queue = BlockingQueue<Int>()
    queue.put(contentsOf: [1, 2])
    queue.put(3)
    #expect(queue.take() == 1)
    queue.close()
    queue.put(4)
    #expect(queue.take() == 2)
    #expect(queue.take() == 3)
    #expect(queue.take() == nil)
    #expect(queue.take() == nil)
  }

  @Test func `closing with discarding drops what waits`() {
    let queue = BlockingQueue<Int>()
    queue.put(contentsOf: Array(0..<3_000))
    for i in 0..<1_500 { #expect(queue.take() == i) }
    queue.close(discarding: true)
    #expect(queue.take() == nil)
  }

  @Test func `every element is taken once, and closing wakes all who wait`() {
    let queue = BlockingQueue<Int>()
    let sum = Atomic<Int>(0)
    let count = Atomic<Int>(0)
    let takers = (0..<4).map { _ in
      Thread.start(name: "taker") {
        while let element = queue.take() {
          sum.add(element, ordering: .relaxed)
          count.add(1, ordering: .relaxed)
        }
      }
    }
    for start in stride(from: 0, to: 5_000, by: 50) { queue.put(contentsOf: Array(start..<start + 50)) }
    queue.close()
    for taker in takers { taker.join() }
    #expect(count.load(ordering: .relaxed) == 5_000)
    #expect(sum.load(ordering: .relaxed) == 5_000 * 4_999 / 2)
  }
}

@Suite struct LoopClockTests {
  /// A clock that stands until it is set.
  private final class Raw: Sendable {
    let nanoseconds = Atomic<Int64>(5_000_000_000)
    func advance(_ milliseconds: Int64) { nanoseconds.add(milliseconds * 1_000_000, ordering: .relaxed) }
  }

  @Test func `a gap that nobody asked for is left out, up to a second it counts`() {
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

  @Test func `a wait without end is no gap`() {
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

@Suite struct ByteQueueTests {
  private func contents(_ queue: borrowing ByteQueue) -> [UInt8] { (0..<queue.count).map { queue[$0] } }

  @Test func `bytes come out in the order in which they went in, however they are cut`() {
    var queue = ByteQueue()
    var expected: [UInt8] = []
    var next: UInt8 = 0
    for step in 0..<500 {
      let count = step * 7 % 23
      let bytes = (0..<count).map { next &+ UInt8($0) }
      next &+= UInt8(count)
      queue.append(bytes)
      expected += bytes
      let gone = min(expected.count, step * 5 % 19)
      queue.drop(gone)
      expected.removeFirst(gone)
      #expect(queue.count == expected.count && contents(queue) == expected)
    }
  }

  @Test func `it is filled up to a limit and within the room there is`() {
    var queue = ByteQueue()
    queue.makeRoom(for: 1, least: 64)
    #expect(queue.room >= 64)
    var offered = 0
    queue.fill(upTo: 10) { bytes in
      offered = bytes.byteCount
      bytes.storeBytes(of: 0xAB, toByteOffset: 0, as: UInt8.self)
      return 1
    }
    #expect(offered == 10)
    #expect(contents(queue) == [0xAB])
    let room = queue.room
    queue.fill { bytes in
      offered = bytes.byteCount
      return 0
    }
    #expect(offered == room)
    #expect(queue.count == 1)
  }

  @Test func `what is edited in place stays edited, and a throw leaves the count`() {
    struct Failure: Error {}
    var queue = ByteQueue()
    queue.append([1, 2, 3, 4])
    queue.drop(1)
    queue.edit(at: 1, count: 1) { $0.storeBytes(of: 9, toByteOffset: 0, as: UInt8.self) }
    #expect(contents(queue) == [2, 9, 4])
    queue.makeRoom(for: 8)
    #expect(throws: Failure.self) { try queue.fill { (_) throws(Failure) in throw Failure() } }
    #expect(contents(queue) == [2, 9, 4])
  }

  @Test func `an empty queue lets go of its memory, a full one does not`() {
    var queue = ByteQueue()
    #expect(queue.capacity == 0)
    queue.append([1])
    queue.shrinkIfEmpty()
    #expect(queue.capacity > 0 && queue.count == 1)
    queue.drop(1)
    queue.shrinkIfEmpty()
    #expect(queue.capacity == 0 && queue.isEmpty)
    queue.append([7])
    #expect(queue[0] == 7)
  }

  @Test func `many small pieces do not grow it once each`() {
    var queue = ByteQueue()
    var growths = 0
    var last = 0
    for _ in 0..<10_000 {
      queue.append([UInt8](repeating: 1, count: 31))
      if queue.capacity != last { growths += 1 }
      last = queue.capacity
    }
    #expect(growths < 200)
    #expect(queue.capacity < 2 * 310_000)
  }
}
