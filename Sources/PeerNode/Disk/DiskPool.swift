// The threads that wait for the disk, so that no other thread has to: they run jobs from queues, in turns.
import Posix
import Synchronization

/// A few threads for the disk work of all downloads.
final class DiskPool: Sendable {
  typealias Job = @Sendable () -> Void

  /// Threads at most: a disk that is slow for one download still serves others, and more would only wait for one another.
  static let threadsMax = 4
  /// Jobs that hash whole files or pages, at a time. They use all cores; syncs and finished files need not wait for them.
  static let longJobsMax = 2

  /// A queue's jobs run one at a time.
  fileprivate let jobs = TurnsQueue<Job>(runningMaxAlone: 1, runningMax: 1, longRunningMax: DiskPool.longJobsMax)
  private let threads = Mutex<[Thread]>([])

  /// A new queue.
  /// - `isLong`: its jobs may hash a lot.
  func queue(isLong: Bool = false) -> DiskQueue { DiskQueue(self, isLong: isLong) }

  /// Starts one more thread if those that run all have work.
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

  /// Lets the jobs that wait run, and waits for the threads. No job comes after it.
  func stop() {
    jobs.close()
    let running = threads.withLock { threads in
      defer { threads = [] }
      return threads
    }
    for thread in running { thread.join() }
  }
}

/// Jobs that run in order, one at a time. Any thread may use it.
final class DiskQueue: Sendable {
  private let pool: DiskPool
  private let lane: TurnsQueue<DiskPool.Job>.Lane

  fileprivate init(_ pool: DiskPool, isLong: Bool) {
    self.pool = pool
    lane = pool.jobs.makeLane(isLong: isLong)
  }

  /// Runs a job after those that wait. After `close` it is dropped.
  func run(_ job: @escaping DiskPool.Job) { if pool.jobs.put(contentsOf: [job], in: lane) { pool.wake() } }

  /// Takes no job any more. Called once, and the last call.
  /// - `discarding`: whether jobs that wait are dropped.
  /// - `onEnd`: called when the last job has ended, at once if none is left.
  func close(discarding: Bool, onEnd: @escaping DiskPool.Job) {
    _ = pool.jobs.close(lane, discarding: discarding, onEnd: onEnd)
  }
}
