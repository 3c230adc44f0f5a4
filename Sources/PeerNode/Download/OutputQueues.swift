// The order of the first work on an output: it waits for the hashing of other outputs only if it hashes a file itself.
import Posix

/// Two queues of the disk pool for one output. Any thread may use them.
final class OutputQueues: Sendable {
  private let short: DiskQueue
  private let long: DiskQueue

  init(_ pool: DiskPool) { (short, long) = (pool.queue(), pool.queue(isLong: true)) }

  /// Runs a job that hashes a whole file if `isLong` says so, which is asked when its turn has come. After `close` it is
  /// dropped.
  func run(isLong: @escaping @Sendable () -> Bool, _ job: @escaping DiskPool.Job) {
    short.run { [long] in if isLong() { long.run(job) } else { job() } }
  }

  /// Runs a job after all that may still hash.
  func runLast(_ job: @escaping DiskPool.Job) { long.run(job) }

  /// Drops the jobs that wait. Called once, and the last call.
  /// - `onEnd`: called for each queue, as often as `count`, when its last job has ended.
  func close(onEnd: @escaping DiskPool.Job) {
    for queue in [short, long] { queue.close(discarding: true, onEnd: onEnd) }
  }

  /// The queues.
  static let count = 2
}
