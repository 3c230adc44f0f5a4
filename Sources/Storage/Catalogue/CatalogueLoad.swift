// Fills a catalogue: files whose hashes are known are served at once, the others are hashed on all cores and served from
// the moment that each is finished.
import Content
import Posix
import SQLite
import Synchronization

/// What happens while a catalogue is filled, or kept in step with its folder. Comes on any thread, several at once.
public enum CatalogueEvent: Sendable {
  /// The file is served from now on.
  case added(CatalogueEntry)
  /// The file is not served.
  case skipped(SkippedFile)
  /// A served file has another path; its connections do not notice.
  case renamed(CatalogueEntry, from: String)
  /// The folder has this ID from now on, or still has it after a start.
  case listed(ListedFolder)
  /// The folder is gone, and with it its ID. The path is relative to the served folder.
  case unlisted(folder: String)
  /// What the listing of the served folder will leave out, as far as the first look tells.
  case leftOut(LeftOutCounts)
  /// Something that a person should know of, and may have to do something about.
  case warning(String)
  /// After each chunk.
  case progress(HashProgress)
}

extension Catalogue {
  /// Adds the files whose hashes are known; then hashes the others on `threads` threads (the caller's is one of them) and
  /// adds each as soon as it is finished. Returns when all are done, or soon after `shouldStop` says so.
  public func load(
    _ files: [ScannedFile], threads: Int = Thread.processorCount,
    shouldStop: @escaping @Sendable () -> Bool = { false }, onEvent: @escaping @Sendable (CatalogueEvent) -> Void
  ) {
    var jobs: [HashJob] = []
    for scanned in files {
      if shouldStop() { return }
      if let entry = known(scanned) {
        add(entry)
        onEvent(.added(entry))
        continue
      }
      let draft = HashDraft(of: scanned.path, in: store)
      let job = HashJob(path: scanned.path, expected: scanned.status, draft: draft) {
        [folder] () throws(Errno) -> File in try folder.open(scanned.path)
      }
      if let job {
        jobs.append(job)
      } else {
        onEvent(.skipped(SkippedFile(path: scanned.path, reason: .tooLong)))
      }
    }
    if jobs.isEmpty { return }
    ParallelHash(
      jobs, shouldStop: shouldStop, onProgress: { onEvent(.progress($0)) },
      onOutcome: { job, outcome in
        do throws(SkipReason) {
          let entry = try self.entry(of: job, try outcome.get())
          self.add(entry)
          onEvent(.added(entry))
        } catch {
          job.draft?.abandon()
          onEvent(.skipped(SkippedFile(path: job.path, reason: error)))
        }
      }
    ).run(threads: threads)
  }

  /// The entry of a file that is what it was when it was hashed, and whose hashes hold.
  private func known(_ scanned: ScannedFile) -> CatalogueEntry? {
    do throws(DatabaseError) {
      guard let file = try store.known(scanned.path, scanned.status) else { return nil }
      return CatalogueEntry(path: scanned.path, status: scanned.status, hashes: file)
    } catch {
      return nil  // what cannot be read is hashed anew; that it cannot be kept is said then
    }
  }

  private func entry(of job: HashJob, _ file: HashedFile) throws(SkipReason) -> CatalogueEntry {
    guard let draft = job.draft else { preconditionFailure("the job was made with a draft") }
    let known: KnownFile?
    do throws(DatabaseError) { known = try draft.finish(file.status, file.tree) } catch { throw .cannotKeep(error) }
    guard let known else { throw .changed }
    return CatalogueEntry(path: job.path, status: file.status, hashes: known)
  }
}
