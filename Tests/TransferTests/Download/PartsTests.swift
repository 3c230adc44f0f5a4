// The small parts of the engine, each by itself and with exact numbers.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct PartsTests {
  @Test func `a score gains 20, 10 or 5 by latency, loses 25, and stays within 0 and 200`() {
    var score = PeerScore()
    #expect(score.value == 100)
    score.succeed(latency: .nanoseconds(99_999_999))
    #expect(score.value == 120)
    score.succeed(latency: .milliseconds(100))
    #expect(score.value == 130)
    score.succeed(latency: .nanoseconds(999_999_999))
    #expect(score.value == 140)
    score.succeed(latency: .seconds(1))
    #expect(score.value == 145)
    for _ in 0..<9 { score.succeed(latency: .zero) }
    #expect(score.value == 200)
    score.fail()
    #expect(score.value == 175)
    for _ in 0..<9 { score.fail() }
    #expect(score.value == 0)
  }

  @Test func `worker i owns the live numbers that are i modulo the worker count, and no number is reused`() {
    var rotation = PeerRotation(maxWorkers: 3)
    for number in [0, 1, 2, 3, 4, 7] { rotation.join(number) }
    #expect(rotation.workerCount == 3 && rotation.sets == [[0, 3], [1, 4, 7], [2]])
    rotation.leave(4)
    #expect(rotation.sets == [[0, 3], [1, 7], [2]] && rotation.owner(of: 4) == nil)
    for number in [0, 1, 2] { rotation.leave(number) }
    #expect(rotation.workerCount == 2 && rotation.sets == [[], [3, 7]])
    #expect(rotation.others(of: 1, after: 3) == [7] && rotation.others(of: 1, after: 7) == [3])
  }

  @Test func `retries wait 0.5 s, doubled each time, at most 10 s`() {
    #expect((1...7).map { RetryQueue.delay(beforeRetry: $0) } == [0.5, 1, 2, 4, 8, 10, 10].map { .seconds($0) })
    #expect(RetryQueue.delay(beforeRetry: .max) == .seconds(10))
    var generator = SeededGenerator(seed: 3)
    var delays: Set<Duration> = []
    for attempt in 1...1000 {
      var queue = RetryQueue()
      let delay = queue.add(.chunk(ChunkIndex(1)), attempt: attempt % 7 + 1, at: .zero, using: &generator)
      let base = RetryQueue.delay(beforeRetry: attempt % 7 + 1)
      #expect(delay >= base * 4 / 5 && delay <= base * 6 / 5)
      #expect(queue.deadline == Instant.zero + delay)
      delays.insert(delay)
    }
    #expect(delays.count > 900)
  }

  @Test func `a rate limiter allows its burst at once and then exactly its rate`() {
    var limiter = RateLimiter(bytesPerSecond: 3, burst: 10, at: .zero)
    #expect(limiter.take(upTo: 100, at: .zero) == 10)
    #expect(limiter.take(upTo: 100, at: .zero) == 0)
    #expect(limiter.delay(until: 1, at: .zero) == .nanoseconds(333_333_334))
    #expect(limiter.take(upTo: 1, at: Instant(nanoseconds: 333_333_333)) == 0)
    #expect(limiter.take(upTo: 1, at: Instant(nanoseconds: 333_333_334)) == 1)
    #expect(limiter.take(upTo: 100, at: .seconds(1)) == 2)
    #expect(limiter.take(upTo: 4, at: .seconds(100)) == 4)
    #expect(limiter.delay(until: 6, at: .seconds(100)) == .zero && limiter.take(upTo: 7, at: .seconds(100)) == 6)
    // A clock that stands still or goes back adds nothing.
    #expect(limiter.take(upTo: 1, at: .zero) == 0)
    var wide = RateLimiter(bytesPerSecond: 1 << 33, burst: 1 << 33, at: .zero)
    #expect(wide.take(upTo: .max, at: .zero) == 1 << 33)
    #expect(wide.take(upTo: .max, at: Instant(nanoseconds: .max)) == 1 << 33)
  }

  @Test func `a set of chunks finds its first member, and the first in common with others`() {
    var generator = SeededGenerator(seed: 9)
    for capacity in [1, 63, 64, 65, 4096, 5000, 1 << 20] {
      var (a, b) = (ChunkSet(capacity: capacity), ChunkSet(capacity: capacity))
      var (plainA, plainB) = (Set<Int>(), Set<Int>())
      for _ in 0..<200 {
        let member = Int.random(in: 0..<capacity, using: &generator)
        if Bool.random(using: &generator) { #expect(a.insert(member) == plainA.insert(member).inserted) }
        if Bool.random(using: &generator) { #expect(b.insert(member) == plainB.insert(member).inserted) }
        let gone = Int.random(in: 0..<capacity, using: &generator)
        #expect(a.remove(gone) == (plainA.remove(gone) != nil))
        let start = Int.random(in: 0..<capacity, using: &generator)
        var read = 0
        #expect(a.first(from: start) == plainA.filter { $0 >= start }.min())
        #expect(
          a.first(in: b, from: start, wordsRead: &read) == plainA.intersection(plainB).filter { $0 >= start }.min())
      }
      #expect(a.count == plainA.count)
      var full = ChunkSet.full(capacity: capacity)
      #expect(full.count == capacity && full.first(from: capacity - 1) == capacity - 1)
      #expect(full.remove(capacity - 1) && full.first(from: capacity - 1) == nil)
    }
  }

  @Test func `deadlines fire in order, at their last time, and cancelled ones never`() {
    var queue = DeadlineQueue<Int>()
    for key in 0..<100 { queue.set(key, at: .milliseconds(Int64(key * 37 % 100))) }
    for key in stride(from: 0, to: 100, by: 2) { queue.cancel(key) }
    for round in 0..<50 { queue.set(1, at: .seconds(Double(round))) }
    queue.set(1, at: .milliseconds(200))
    var due: [Int] = []
    while let key = queue.popDue(at: .milliseconds(200)) { due.append(key) }
    #expect(due.count == 50 && due.last == 1 && queue.next == nil)
    #expect(due.dropLast().map { $0 * 37 % 100 } == due.dropLast().map { $0 * 37 % 100 }.sorted())
  }

  @Test func `the speed is the average of the last seconds`() {
    var meter = SpeedMeter()
    for second in 0..<20 { meter.add(second < 10 ? 1000 : 500, at: .seconds(Double(second))) }
    #expect(meter.bytesPerSecond(at: .seconds(20)) == 500)
    #expect(meter.bytesPerSecond(at: .seconds(60)) == 0)
  }

  @Test func `the peer book bounds its addresses and never dials the address of a banned peer`() {
    var book = PeerBook()
    book.ban(peerID(9), at: nil, group: nil)
    book.add(address(1), pinned: peerID(9), at: .zero)
    #expect(book.count == 0)
    for port in 0..<3000 { book.add(address(1, port: UInt16(port)), pinned: nil, isHint: true, at: .zero) }
    #expect(book.count == PeerBook.addressesMax)
  }

  @Test func `once the file was found, dials wait 1, 2, 4 and up to 30 s`() {
    var book = PeerBook()
    book.add(address(1), pinned: nil, at: .zero)
    _ = book.nextNamedDial(at: .zero)
    book.opened(address(1), at: .zero)
    var now = Instant.zero
    var waits: [Duration] = []
    for _ in 0..<7 {
      book.ended(address(1), .dialFailed(.refused), at: now)
      waits.append(book.namedDeadline! - now)
      now = book.namedDeadline!
      _ = book.nextNamedDial(at: now)
    }
    #expect(waits == [1, 2, 4, 8, 16, 30, 30].map { .seconds($0) })
  }
}
