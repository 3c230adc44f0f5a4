// The threads that look names up: bounded in number, and each look-up has its turn.
import Posix
import Synchronization
import Testing

@testable import PeerNode

@Suite struct LookupThreadsTests {
  @Test func `look-ups that block wait for one another once all threads are busy, and all have their turn`() {
    let threads = LookupThreads()
    let (began, released) = (BlockingQueue<Int>(), BlockingQueue<Void>())
    let count = LookupThreads.threadsMax + 5
    for i in 0..<count {
      threads.run {
        began.put(i)
        _ = released.take()
      }
    }
    let first = (0..<LookupThreads.threadsMax).compactMap { _ in began.take() }
    #expect(Set(first) == Set(0..<LookupThreads.threadsMax), "no later one has begun")
    for _ in 0..<count { released.put(()) }
    #expect(Set((0..<5).compactMap { _ in began.take() }) == Set(LookupThreads.threadsMax..<count))
  }
}
