// Orders the first jobs on an output. A job waits for the hashing of other outputs only if it hashes a file itself.
import Posix

/// Two queues of the disk pool for one output. Any thread may call it.
final class OutputQueues: Sendable {
  private let short: DiskQueue
  private let long: DiskQueue

  init(_ pool: DiskPool) { (short, long) = (pool.queue(), pool.queue(isLong: true)) }

  /// Runs a job, in the queue for long jobs if `isLong` says that it hashes a whole file. `isLong` is called when the
  /// job's turn has come. After `close` the job is dropped.
  func run(isLong: @escaping @Sendable () -> Bool, _ job: @escaping DiskPool.Job) {
    short.run { [long] in if isLong() { long.run(job) } else { job() } }
  }

  /// Runs a job after all long jobs.
  func runLast(_ job: @escaping DiskPool.Job) { long.run(job) }

  /// Drops the waiting jobs and ends the queues. Call it once, as the last call.
  /// - `onEnd`: called `count` times: for each queue when its last job has ended.
  func close(onEnd: @escaping DiskPool.Job) {
    for queue in [short, long] { queue.close(discarding: true, onEnd: onEnd) }
  }

  /// The number of queues.
  static let count = 2
}
