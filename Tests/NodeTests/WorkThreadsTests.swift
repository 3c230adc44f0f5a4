// Threads whose jobs get stuck: the jobs of other owners are done all the same.
import Posix
import Synchronization
import TestSupport
import Testing

@testable import PeerNode

@Suite struct WorkThreadsTests {
  private final class Time: Sendable {
    let nanoseconds = Atomic<Int64>(1)
    func advance(_ milliseconds: Int64) { nanoseconds.add(milliseconds * 1_000_000, ordering: .relaxed) }
  }
  private typealias Job = @Sendable () -> Void

  @Test(arguments: [1, 5])
  func `jobs that are stuck for a second hold up no other owner`(owners: Int) throws {
    let (time, gate, began) = (Time(), BlockingQueue<Void>(), BlockingQueue<String>())
    let threads = WorkThreads<Job>("p2p-test", count: 2, now: { time.nanoseconds.load(ordering: .relaxed) }) { job, _ in
      job()
    }
    let watchdog = Watchdog(seconds: 20) { began.close() }
    defer {
      gate.close()
      threads.stop()
      withExtendedLifetime(watchdog) {}
    }
    threads.start()
    let stuck: Job = {
      began.put("stuck")
      _ = gate.take()
    }
    let lanes = (0..<owners + 1).map { _ in threads.jobs.makeLane() }
    var startedCount = 2
    for (i, lane) in lanes.dropLast().enumerated() {
      threads.jobs.put(contentsOf: [stuck, stuck, stuck], in: lane)
      try #require(began.take() == "stuck")
      guard i > 0 else { continue }  // the first leaves a thread to the others
      time.advance(900)
      threads.relieve()
      #expect(threads.threadCount == startedCount, "a slow job is not stuck")
      time.advance(100)
      threads.relieve()
      startedCount += 1
      #expect(threads.threadCount == startedCount)
      threads.relieve()
      #expect(threads.threadCount == startedCount, "there is one that is free")
    }
    threads.jobs.put(contentsOf: [{ began.put("done") }], in: lanes[owners])
    #expect(began.take() == "done")
  }

  @Test func `threads become no more than their bound`() throws {
    let (time, gate, began) = (Time(), BlockingQueue<Void>(), BlockingQueue<Void>())
    let threads = WorkThreads<Job>("p2p-test", count: 2, now: { time.nanoseconds.load(ordering: .relaxed) }) { job, _ in
      job()
    }
    let watchdog = Watchdog(seconds: 20) { began.close() }
    defer {
      gate.close()
      threads.stop()
      withExtendedLifetime(watchdog) {}
    }
    threads.start()
    let bound = 2 + WorkThreads<Job>.extraMax
    for i in 0..<bound {
      threads.jobs.put(
        contentsOf: [
          {
            began.put(())
            _ = gate.take()
          }
        ], in: threads.jobs.makeLane())
      try #require(began.take() != nil)
      if i == 0 { continue }
      time.advance(1_000)
      threads.relieve()
    }
    #expect(threads.threadCount == bound)
  }
}
