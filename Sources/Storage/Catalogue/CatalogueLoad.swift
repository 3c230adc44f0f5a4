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
  /// What the listing of the served folder will leave out: as far as the first look tells, and again when the files of the
  /// start are hashed, if some of them cannot be read.
  case leftOut(LeftOutCounts)
  /// Something that a person should know of, and may have to do something about.
  case warning(String)
  /// After each chunk. Several threads hash, so an older one may come after a newer one.
  case progress(HashProgress)
  /// All files that were there, or that came or changed since, are hashed or skipped.
  case hashingEnded
}

/// A file that is in the catalogue, or is not, for a reason.
public struct EndedFile: Sendable {
  public let path: String
  public let skipped: SkipReason?
}

extension Catalogue {
  /// Adds the files whose hashes are known; then hashes the others on `threads` threads (the caller's is one of them) and
  /// adds each soon after it is finished. Returns when all are done, or soon after `shouldStop` says so.
  /// - `before`: how far hashing is that this is a part of.
  /// - `onEnded`: called after the events of some files, for all of them. On any thread, several at once.
  public func load(
    _ files: [ScannedFile], after before: HashProgress? = nil, threads: Int = Thread.processorCount,
    shouldStop: @escaping @Sendable () -> Bool = { false },
    onEnded: @escaping @Sendable ([EndedFile]) -> Void = { _ in }, onEvent: @escaping @Sendable (CatalogueEvent) -> Void
  ) {
    var jobs: [HashJob] = []
    var ended: [EndedFile] = []
    for scanned in files {
      if shouldStop() { break }
      if !scanned.isNew, let entry = known(scanned) {
        add(entry)
        onEvent(.added(entry))
        ended.append(EndedFile(path: entry.path, skipped: nil))
        continue
      }
      let draft = HashDraft(of: scanned.path, in: store)
      let job = HashJob(path: scanned.path, expected: scanned.status, draft: draft, now: young.now) {
        [folder] () throws(Errno) -> File in try folder.open(scanned.path)
      }
      if let job {
        jobs.append(job)
      } else {
        onEvent(.skipped(SkippedFile(path: scanned.path, reason: .tooLong)))
        ended.append(EndedFile(path: scanned.path, skipped: .tooLong))
      }
    }
    if !ended.isEmpty { onEnded(ended) }
    if jobs.isEmpty || shouldStop() { return }
    let finished = FinishedFiles(self, count: jobs.count, onEnded: onEnded, onEvent: onEvent)
    ParallelHash(
      jobs, after: before, shouldStop: shouldStop,
      onProgress: { progress in
        onEvent(.progress(progress))
        finished.writeIfDue()
      },
      onOutcome: { job, outcome in
        do throws(SkipReason) { finished.add(job, try outcome.get()) } catch { finished.failed(job, error) }
      }
    ).run(threads: threads)
    finished.write()
  }

  /// Takes in what the database knows, before the folder is looked through: one pass over it costs far less than to ask
  /// for each file. See `confirm`.
  func expectStored() throws(DatabaseError) {
    try store.forEachFile { row in table.withLock { $0.expect(row) } }
  }

  /// Adds a file that was found, if the database has its hashes.
  func confirm(_ path: String, _ status: FileStatus) -> CatalogueEntry? {
    guard let expected = table.withLock({ $0.expected(at: path, status) }),
      (try? store.holds(expected.hashes, length: status.size)) == true
    else { return nil }
    return table.withLock { $0.confirm(expected, at: path, status, bucketOf: bucketOf) }
  }

  /// Forgets what the database knows of files that were not found, but of those whose paths are `kept`.
  func forgetExpected(but kept: Set<BytePath>) throws(DatabaseError) {
    var kept = kept
    if folder.rules.only != nil {
      // Other names were not looked for. Those that are there may be served the next time.
      let paths = table.withLock { $0.expectedPaths }
      kept.formUnion(paths.filter { (try? folder.status($0.text)) != nil })
    }
    try store.retire(table.withLock { $0.takeExpected(but: kept) })
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
}
