// Threads whose jobs get stuck. Jobs of other owners are still performed.
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

  /// Two threads on a clock that the test controls, with jobs that are stuck until the test ends.
  private final class Stage {
    let time = Time()
    /// One word for each job that has begun.
    let began = BlockingQueue<String>()
    let threads: WorkThreads<Job>
    /// A job that ends only when the test does.
    let stuck: Job
    private let gate = BlockingQueue<Void>()
    private let watchdog: Watchdog

    init() {
      let (time, gate, began) = (time, gate, began)
      threads = WorkThreads("p2p-test", count: 2, now: { time.nanoseconds.load(ordering: .relaxed) }) { job, _ in job()
      }
      stuck = {
        began.put("stuck")
        _ = gate.take()
      }
      watchdog = Watchdog(seconds: 20) { began.close() }
      threads.start()
    }

    deinit {
      gate.close()
      threads.stop()
    }
  }

  @Test(arguments: [1, 5])
  func `jobs that hang for a second delay no other owner`(owners: Int) throws {
    let stage = Stage()
    let (time, threads) = (stage.time, stage.threads)
    let lanes = (0..<owners + 1).map { _ in threads.jobs.makeLane() }
    var startedCount = 2
    for (i, lane) in lanes.dropLast().enumerated() {
      threads.jobs.put(contentsOf: [stage.stuck, stage.stuck, stage.stuck], in: lane)
      try #require(stage.began.take() == "stuck")
      guard i > 0 else { continue }  // the first one leaves a thread to the others
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
    let began = stage.began
    threads.jobs.put(contentsOf: [{ began.put("done") }], in: lanes[owners])
    #expect(began.take() == "done")
  }

  @Test func `the number of threads stays within its bound`() throws {
    let stage = Stage()
    let (time, threads) = (stage.time, stage.threads)
    let bound = 2 + WorkThreads<Job>.extraMax
    for i in 0..<bound {
      threads.jobs.put(contentsOf: [stage.stuck], in: threads.jobs.makeLane())
      try #require(stage.began.take() == "stuck")
      if i == 0 { continue }
      time.advance(1_000)
      threads.relieve()
    }
    #expect(threads.threadCount == bound)
  }
}
