// Jobs that wait for the disk, on threads that all downloads share.
import Posix
import Synchronization
import TestSupport
import Testing

@testable import PeerNode

@Suite struct DiskPoolTests {
  @Test func `the jobs of a queue run in order and one at a time`() {
    let pool = DiskPool()
    let queue = pool.queue()
    let state = Mutex((order: [Int](), running: 0, mostRunning: 0))
    for i in 0..<200 {
      queue.run {
        state.withLock { state in
          state.running += 1
          state.mostRunning = max(state.mostRunning, state.running)
        }
        state.withLock { state in
          state.order.append(i)
          state.running -= 1
        }
      }
    }
    let ended = BlockingQueue<Bool>()
    queue.close(discarding: false) { ended.put(true) }
    queue.run { state.withLock { $0.order.append(-1) } }
    _ = ended.take()
    pool.stop()
    #expect(state.withLock { $0.order } == Array(0..<200))
    #expect(state.withLock { $0.mostRunning } == 1)
  }

  @Test func `a waiting job delays its own queue alone, and long jobs leave threads to others`() {
    let pool = DiskPool()
    defer { pool.stop() }
    let (gate, began) = (BlockingQueue<Bool>(), BlockingQueue<Bool>())
    defer { gate.close() }
    let watchdog = Watchdog(seconds: 20) { began.close() }
    defer { withExtendedLifetime(watchdog) {} }
    let long = (0..<10).map { _ in pool.queue(isLong: true) }
    for queue in long { queue.run { _ = gate.take() } }
    let stuck = pool.queue()
    stuck.run { _ = gate.take() }
    stuck.run { began.put(false) }
    pool.queue().run { began.put(true) }
    #expect(began.take() == true)
  }

  @Test func `dropped jobs do not run, and dropping waits for the job that runs`() {
    let pool = DiskPool()
    let queue = pool.queue()
    let (gate, began, events) = (BlockingQueue<Bool>(), BlockingQueue<Bool>(), BlockingQueue<String>())
    queue.run {
      began.put(true)
      _ = gate.take()
      events.put("ran")
    }
    queue.run { events.put("dropped") }
    _ = began.take()
    queue.close(discarding: true) { events.put("ended") }
    gate.close()
    #expect(events.take() == "ran")
    #expect(events.take() == "ended")
    pool.stop()
    events.close()
    #expect(events.take() == nil)
  }
}
