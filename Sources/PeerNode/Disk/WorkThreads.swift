// Threads for short jobs that may get stuck, as a write does when its disk stalls. Extra threads then do the other
// jobs.
import Posix
import Synchronization

/// A fixed number of threads that take jobs in turns, plus a few more when all of them are stuck.
final class WorkThreads<Job: Sendable>: Sendable {
  typealias Body = @Sendable (Job, inout LoopClock) -> Void

  /// A thread whose job has run this long is stuck. On a working disk a job takes milliseconds.
  static var stuckNanoseconds: Int64 { 1_000_000_000 }
  /// The most extra threads: enough for several stalled disks, and a bound on memory.
  static var extraMax: Int { 8 }

  /// One thread.
  private final class Worker: Sendable {
    /// When it began its job, in nanoseconds; 0 if it has none.
    let began = Atomic<Int64>(0)
  }

  /// The jobs in lanes. While other lanes are open, a lane leaves one thread to them.
  let jobs: TurnsQueue<Job>
  private let name: String
  private let count: Int
  private let body: Body
  private let now: @Sendable () -> Int64
  private let running = Mutex<[(worker: Worker, thread: Thread)]>([])

  /// Makes the object; `start` starts the threads.
  /// - `now`: a clock, in nanoseconds.
  init(
    _ name: String, count: Int, now: @escaping @Sendable () -> Int64 = { Clock.monotonicNanoseconds },
    body: @escaping Body
  ) {
    jobs = TurnsQueue(runningMaxAlone: count, runningMax: max(1, count - 1))
    (self.name, self.count, self.now, self.body) = (name, count, now, body)
  }

  /// Starts the threads, unless they run already.
  func start() {
    running.withLock { running in
      guard running.isEmpty else { return }
      for i in 0..<count { running.append(startThread(i)) }
    }
  }

  /// Starts another thread if all are stuck. It runs until `stop`.
  func relieve() {
    let now = now()
    running.withLock { running in
      guard (count..<count + WorkThreads.extraMax).contains(running.count),
        running.allSatisfy({ isStuck($0.worker, at: now) })
      else { return }
      running.append(startThread(running.count))
    }
  }

  /// The number of threads that run.
  var threadCount: Int { running.withLock { $0.count } }

  /// Runs the waiting jobs, then ends the threads and waits for them.
  func stop() {
    jobs.close()
    let ended = running.withLock { running in
      defer { running = [] }
      return running
    }
    for (_, thread) in ended { thread.join() }
  }

  private func isStuck(_ worker: Worker, at now: Int64) -> Bool {
    let began = worker.began.load(ordering: .relaxed)
    return began != 0 && now - began >= WorkThreads.stuckNanoseconds
  }

  private func startThread(_ number: Int) -> (worker: Worker, thread: Thread) {
    let worker = Worker()
    return (worker, Thread.start(name: "\(name)-\(number)") { self.work(worker) })
  }

  private func work(_ worker: Worker) {
    var clock = LoopClock()
    while let (lane, job) = jobs.take() {
      worker.began.store(now(), ordering: .relaxed)
      body(job, &clock)
      worker.began.store(0, ordering: .relaxed)
      jobs.finished(lane)
    }
  }
}
