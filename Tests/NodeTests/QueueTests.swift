// The queues between threads and before sockets, each by itself.
import Posix
import Synchronization
import Testing

@testable import PeerNode

@Suite struct MailboxTests {
  @Test func `a mailbox is readable exactly while it holds an element`() throws {
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

  @Test func `no element that many threads send is lost or out of order`() throws {
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
  @Test func `elements come out in order, and nil once the queue is closed and empty`() {
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

  @Test func `closing with discarding drops the waiting elements`() {
    let queue = BlockingQueue<Int>()
    queue.put(contentsOf: Array(0..<3_000))
    for i in 0..<1_500 { #expect(queue.take() == i) }
    queue.close(discarding: true)
    #expect(queue.take() == nil)
  }

  @Test func `every element is taken once, and closing wakes all waiting threads`() {
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

@Suite struct ByteQueueTests {
  private func contents(_ queue: borrowing ByteQueue) -> [UInt8] { (0..<queue.count).map { queue[$0] } }

  @Test func `bytes come out in order, however they are split`() {
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

  @Test func `a byte queue is filled up to the given limit and its room`() {
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

  @Test func `editing in place changes the bytes, and a throwing fill keeps the count`() {
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

  @Test func `an empty byte queue frees its memory, and a full one does not`() {
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

  @Test func `appending many small pieces grows the queue only a few times`() {
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
