// Hashes many files, or one large file, on all cores. Each thread takes the next chunk that no thread has taken.
import Content
import Posix
import Synchronization

/// The progress of hashing.
public struct HashProgress: Hashable, Sendable {
  public internal(set) var bytesDone: UInt64 = 0
  public let bytesTotal: UInt64
  /// Files whose outcome is known, including skipped ones.
  public internal(set) var filesDone = 0
  public let filesTotal: Int
}

/// Several threads that hash a list of jobs. Each thread holds one buffer. Chunks are handed out in the list's order,
/// so the files are finished in about that order. The closures are called on any of the threads, several at once.
final class ParallelHash: Sendable {
  /// The bytes of a thread's read buffer: whole leaves, and small enough for the core's own cache.
  static let bufferBytes = 1 << 18

  private let jobs: [HashJob]
  private let next = Mutex(Position())
  private let progress: Mutex<HashProgress>
  private let shouldStop: @Sendable () -> Bool
  private let onProgress: @Sendable (HashProgress) -> Void
  private let onOutcome: @Sendable (HashJob, Result<HashedFile, SkipReason>) -> Void

  /// The task that is handed out next.
  private struct Position {
    var job = 0
    var task = 0
  }

  /// - `before`: the progress of the hashing that these jobs are a part of. Nil: they are all of it.
  init(
    _ jobs: [HashJob], after before: HashProgress? = nil, shouldStop: @escaping @Sendable () -> Bool,
    onProgress: @escaping @Sendable (HashProgress) -> Void,
    onOutcome: @escaping @Sendable (HashJob, Result<HashedFile, SkipReason>) -> Void
  ) {
    self.jobs = jobs
    self.shouldStop = shouldStop
    self.onProgress = onProgress
    self.onOutcome = onOutcome
    if let before {
      progress = Mutex(before)
      return
    }
    // Two huge sparse files must not overflow a counter that is only displayed.
    let total = jobs.reduce(UInt64(0)) { $0.addingReportingOverflow($1.layout.fileLength).partialValue }
    progress = Mutex(HashProgress(bytesTotal: total, filesTotal: jobs.count))
  }

  /// Hashes files and returns each outcome by its path. If `shouldStop` returns true, some files have no outcome.
  static func outcomes(
    of jobs: [HashJob], threads: Int, shouldStop: @escaping @Sendable () -> Bool = { false },
    onProgress: @escaping @Sendable (HashProgress) -> Void
  ) -> [BytePath: Result<HashedFile, SkipReason>] {
    if jobs.isEmpty { return [:] }
    let outcomes = Mutex<[BytePath: Result<HashedFile, SkipReason>]>([:])
    ParallelHash(
      jobs, shouldStop: shouldStop, onProgress: onProgress,
      onOutcome: { job, outcome in outcomes.withLock { $0[BytePath(job.path)] = outcome } }
    ).run(threads: threads)
    return outcomes.withLock { $0 }
  }

  /// Returns when everything is hashed, or soon after `shouldStop` returns true. Then unfinished jobs have no outcome.
  func run(threads: Int) {
    precondition(threads >= 1, "somebody must do the work")
    if threads == 1 { return work() }
    let thread = Thread.start(name: "hash") { self.work() }
    run(threads: threads - 1)
    thread.join()
  }

  private func work() {
    var buffer = [UInt8](repeating: 0, count: ParallelHash.bufferBytes)
    while !shouldStop(), let (job, task) = claim() {
      let outcome = job.run(task: task, buffer: &buffer)
      let now = progress.withLock { progress in
        progress.bytesDone &+= UInt64(job.byteCount(ofTask: task))
        if outcome != nil { progress.filesDone += 1 }
        return progress
      }
      if let outcome { onOutcome(job, outcome) }
      onProgress(now)
    }
  }

  private func claim() -> (job: HashJob, task: Int)? {
    next.withLock { next in
      guard next.job < jobs.count else { return nil }
      let claimed = (jobs[next.job], next.task)
      next.task += 1
      if next.task == jobs[next.job].taskCount { next = Position(job: next.job + 1) }
      return claimed
    }
  }
}

/// Hashes one file on `threads` threads, to show or check its fileID. Follows links, because the user gave the path.
///
/// `onProgress` is called on any of the threads, after each chunk.
public func hashFile(
  _ path: String, threads: Int = Thread.processorCount, shouldStop: @escaping @Sendable () -> Bool = { false },
  onProgress: @escaping @Sendable (HashProgress) -> Void = { _ in }
) throws(SkipReason) -> (fileID: FileID, tree: HashTree) {
  let file = try attempt({ () throws(Errno) in try File(path, [.read, .nonBlocking]) }, orThrow: SkipReason.io)
  let status = try attempt({ () throws(Errno) in try file.status() }, orThrow: SkipReason.io)
  guard status.kind == .regular else { throw .notRegular }
  let job = HashJob(path: path, expected: status, draft: nil) { () throws(Errno) -> File in
    try File(path, [.read, .nonBlocking])
  }
  guard let job else { throw .tooLong }
  let result = Mutex<Result<HashedFile, SkipReason>>(.failure(.stopped))
  ParallelHash(
    [job], shouldStop: shouldStop, onProgress: onProgress,
    onOutcome: { _, outcome in result.withLock { $0 = outcome } }
  ).run(threads: threads)
  let tree = try result.withLock { $0 }.get().tree
  return (FileID(kind: .file, length: status.size, root: tree.root), tree)
}
