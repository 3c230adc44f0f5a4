// Threads that wait for the disk, so that no other thread has to. They run jobs from queues, which take turns.
import Posix
import Synchronization

/// A few threads for the disk work of all downloads.
final class DiskPool: Sendable {
  typealias Job = @Sendable () -> Void

  /// The most threads. With several, a slow disk of one download does not stop the others; more would wait for one
  /// another.
  static let threadsMax = 4
  /// The most long jobs at a time, which hash whole files or pages on all cores. Other threads stay free for syncs and
  /// finished files.
  static let longJobsMax = 2

  /// The jobs of all queues. Those of one queue run one at a time.
  fileprivate let jobs = TurnsQueue<Job>(runningMaxAlone: 1, runningMax: 1, longRunningMax: DiskPool.longJobsMax)
  private let threads = Mutex<[Thread]>([])

  /// Makes a queue.
  /// - `isLong`: whether its jobs may hash a lot.
  func queue(isLong: Bool = false) -> DiskQueue { DiskQueue(self, isLong: isLong) }

  /// Starts one more thread if all running ones have work.
  fileprivate func wake() {
    let busy = jobs.busyLanes
    threads.withLock { threads in
      guard threads.count < min(busy, DiskPool.threadsMax) else { return }
      threads.append(Thread.start(name: "p2p-disk-\(threads.count)") { self.work() })
    }
  }

  private func work() {
    while let (lane, job) = jobs.take() {
      job()
      jobs.finished(lane)
    }
  }

  /// Runs the waiting jobs, then ends the threads and waits for them. Later jobs are dropped.
  func stop() {
    jobs.close()
    let running = threads.withLock { threads in
      defer { threads = [] }
      return threads
    }
    for thread in running { thread.join() }
  }
}

/// A queue of jobs that run in order, one at a time. Any thread may call it.
final class DiskQueue: Sendable {
  private let pool: DiskPool
  private let lane: TurnsQueue<DiskPool.Job>.Lane

  fileprivate init(_ pool: DiskPool, isLong: Bool) {
    self.pool = pool
    lane = pool.jobs.makeLane(isLong: isLong)
  }

  /// Runs a job after those that wait already. After `close` the job is dropped.
  func run(_ job: @escaping DiskPool.Job) { if pool.jobs.put(contentsOf: [job], in: lane) { pool.wake() } }

  /// Ends the queue: it accepts no more jobs. Call it once, as the last call.
  /// - `discarding`: whether waiting jobs are dropped.
  /// - `onEnd`: called when the last job has ended, at once if none is left.
  func close(discarding: Bool, onEnd: @escaping DiskPool.Job) {
    _ = pool.jobs.close(lane, discarding: discarding, onEnd: onEnd)
  }
}
