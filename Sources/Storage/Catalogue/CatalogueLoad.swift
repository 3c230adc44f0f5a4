// Fills a catalogue. Files with known hashes are served at once. The others are hashed on all cores, and each is served
// as soon as its hash is finished.
import Content
import Posix
import SQLite
import Synchronization

/// Reports what happens while a catalogue is filled or follows its folder. Sent on any thread, from several at once.
public enum CatalogueEvent: Sendable {
  /// The file is served from now on.
  case added(CatalogueEntry)
  /// The file is not served.
  case skipped(SkippedFile)
  /// A served file has another path. Its connections are not affected.
  case renamed(CatalogueEntry, from: String)
  /// The folder has this ID from now on. Also sent after a start, when the ID is the same as before.
  case listed(ListedFolder)
  /// The folder is gone, and so is its ID. The path is relative to the served folder.
  case unlisted(folder: String)
  /// What the listing of the served folder will leave out, as far as the first scan shows. Sent again if some files
  /// cannot be read when they are hashed.
  case leftOut(LeftOutCounts)
  /// A message for the user, who may have to act.
  case warning(String)
  /// Sent after each chunk. Several threads hash, so an older report may arrive after a newer one.
  case progress(HashProgress)
  /// All files that were there, or were added or changed since, are hashed or skipped.
  case hashingEnded
}

/// A file that was added to the catalogue, or was skipped for a reason.
public struct EndedFile: Sendable {
  public let path: String
  public let skipped: SkipReason?
}

extension Catalogue {
  /// Adds the files whose hashes are known. Then hashes the others on `threads` threads, including the caller's, and
  /// adds each soon after it is hashed. Returns when all are done, or soon after `shouldStop` returns true.
  /// - `before`: the progress of the hashing that this call continues.
  /// - `onEnded`: called for each file after its event, with some files at a time. On any thread, from several at once.
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

  /// Reads all files from the database before the folder is scanned. One pass costs far less than one query for each
  /// file. See `confirm`.
  func expectStored() throws(DatabaseError) {
    try store.forEachFile { row in table.withLock { $0.expect(row) } }
  }

  /// Adds a file that the scan found, if the database has its hashes.
  func confirm(_ path: String, _ status: FileStatus) -> CatalogueEntry? {
    guard let expected = table.withLock({ $0.expected(at: path, status) }),
      (try? store.holds(expected.hashes, length: status.size)) == true
    else { return nil }
    return table.withLock { $0.confirm(expected, at: path, status, bucketOf: bucketOf) }
  }

  /// Forgets the database's files that the scan did not find, except those whose paths are in `kept`.
  func forgetExpected(but kept: Set<BytePath>) throws(DatabaseError) {
    var kept = kept
    if folder.rules.only != nil {
      // The scan looked only for the names in `only`. Other files that exist may be served by the next run.
      let paths = table.withLock { $0.expectedPaths }
      kept.formUnion(paths.filter { (try? folder.status($0.text)) != nil })
    }
    try store.retire(table.withLock { $0.takeExpected(but: kept) })
    let hasOthers = folder.rules.only != nil
    try store.removeUnfinished { path in
      kept.contains(BytePath(path)) || hasOthers && (try? folder.status(path)) != nil
    }
  }

  /// Returns the entry of a file that has not changed since it was hashed and whose hashes are complete.
  private func known(_ scanned: ScannedFile) -> CatalogueEntry? {
    do throws(DatabaseError) {
      guard let file = try store.known(scanned.path, scanned.status) else { return nil }
      return CatalogueEntry(path: scanned.path, status: scanned.status, hashes: file)
    } catch {
      return nil  // if the database cannot be read, the file is hashed again; a failed write is reported then
    }
  }
}

extension CatalogueEvent: CustomStringConvertible {
  /// A line, with names made harmless for a terminal.
  public var description: String {
    let text =
      switch self {
      case .added(let entry): "offered: \(entry)"
      case .skipped(let skipped): "left out: \(skipped)"
      case .renamed(let entry, let path): "\(path) is now \(entry.path)"
      case .listed(let folder): "offered: the folder \(folder.name) (\(folder.listing.folderID.hex))"
      case .unlisted(let folder): "gone: the folder \(folder)"
      case .leftOut(let counts): "left out: \(counts)"
      case .warning(let text): "warning: \(text)"
      case .progress(let progress): "hashed \(progress.bytesDone) of \(progress.bytesTotal) bytes"
      case .hashingEnded: "all files are hashed"
      }
    return SuggestedName.escapedForTerminal(text)
  }
}
