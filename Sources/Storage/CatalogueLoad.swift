// Fills a catalogue: scanned files are hashed on all cores and served from the moment that each is finished.
import Content
import Posix
import Synchronization

/// What happens while a catalogue is filled. Comes on any thread, several at once.
public enum CatalogueEvent: Sendable {
  /// The file is served from now on.
  case added(CatalogueEntry)
  /// The file is not served.
  case skipped(SkippedFile)
  /// After each chunk.
  case progress(HashProgress)
}

extension Catalogue {
  /// Hashes files on `threads` threads (the caller's is one of them) and adds each as soon as it is finished. Returns
  /// when all are done, or soon after `shouldStop` says so.
  public func load(
    _ files: [ScannedFile], threads: Int = Thread.processorCount,
    shouldStop: @escaping @Sendable () -> Bool = { false }, onEvent: @escaping @Sendable (CatalogueEvent) -> Void
  ) {
    var jobs: [HashJob] = []
    for scanned in files {
      let job = HashJob(path: scanned.path, expected: scanned.status, leafStore: leafStore) {
        [folder] () throws(Errno) -> File in try folder.open(scanned.path)
      }
      if let job {
        jobs.append(job)
      } else {
        onEvent(.skipped(SkippedFile(path: scanned.path, reason: .tooLong)))
      }
    }
    ParallelHash(
      jobs, shouldStop: shouldStop, onProgress: { onEvent(.progress($0)) },
      onOutcome: { job, outcome in
        switch outcome {
        case .success(let file):
          guard let leaves = file.leaves else { preconditionFailure("the job had a leaf store") }
          let entry = CatalogueEntry(path: job.path, status: file.status, tree: file.tree, leaves: leaves)
          self.add(entry)
          onEvent(.added(entry))
        case .failure(let reason): onEvent(.skipped(SkippedFile(path: job.path, reason: reason)))
        }
      }
    ).run(threads: threads)
  }
}
