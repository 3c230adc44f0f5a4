// Keeps a catalogue in step with its folder: notices added, changed, renamed and removed files. Decides when a file is
// quiet enough to be hashed. The caller hashes it and reports back.
import Content
import Posix
import SQLite

/// Confined to one thread. The caller gives the time in nanoseconds of any clock that never goes back.
public final class WatchedFolder {
  /// A file that was not changed for this long counts as complete, even if no writer closed it.
  static let quietNanoseconds: Int64 = 1_000_000_000
  /// The two events of a rename come at almost the same time.
  static let renameNanoseconds: Int64 = 100_000_000
  /// If not all folders can be watched, the whole tree is scanned: this often, and never for more than a small part of
  /// the time.
  static let rescanNanoseconds: Int64 = 10_000_000_000
  static let rescanShare: Int64 = 20

  let catalogue: Catalogue
  let now: () -> Int64
  let emit: (FolderNews) -> Void

  /// Nil if the system has no inotify instance left.
  var watches: FolderWatches?
  var rescanAt: Int64?
  /// Whether some folder is not watched.
  var watchesFailed = false
  /// When the first scan began.
  let lookedAt: Int64

  /// A file that may still be written: its status when last checked, and when to check again.
  struct Unsettled {
    let status: FileStatus
    var lookAt: Int64
  }
  var unsettled: [BytePath: Unsettled] = [:]
  /// No file in `unsettled` is due earlier.
  var earliestLook = Int64.max
  /// Files found at the start that the database does not have. They are hashed first, in batches. A path that is also
  /// in `ready` or `unsettled` has changed since.
  private var initial = ScannedQueue()
  private var (initialCount, initialBytes) = (0, UInt64(0))
  /// Files to hash next, in this order. A path that is no longer in `ready` has changed since.
  private var readyOrder: [BytePath] = []
  private var ready: [BytePath: FileStatus] = [:]
  /// Files that are being hashed. True: the file was touched meanwhile, so it must be checked again.
  private var hashing: [BytePath: Bool] = [:]
  /// What the first scan left out.
  private var leftOutAtStart = LeftOutCounts()
  /// Whether files found at the start are still being hashed.
  public private(set) var isFirstBatch = true

  var plan: ListingPlan
  var restless = RestlessFiles()
  /// Files that could not be hashed.
  var failed: [BytePath: LeftOut] = [:]

  /// A rename of which only the first event has come.
  struct Leaving {
    let path: String
    let isFolder: Bool
    let until: Int64
  }
  var leaving: [UInt32: Leaving] = [:]

  /// Begins to watch, and finds the existing files. Those that the database knows are served; all others become ready
  /// to be hashed. Throws if the folder cannot be listed.
  public init(
    _ catalogue: Catalogue, now: @escaping () -> Int64, emit: @escaping (FolderNews) -> Void
  ) throws(Errno) {
    (self.catalogue, self.now, self.emit) = (catalogue, now, emit)
    (lookedAt, plan) = (now(), ListingPlan(catalogue.folder.rules))
    if let warning = catalogue.warning { emit(.event(.warning(warning))) }
    do throws(Errno) { watches = try FolderWatches() } catch { cannotWatch(error) }
    do throws(DatabaseError) { try catalogue.expectStored() } catch { emit(.event(.warning("\(error)"))) }
    let scan = try FolderScan(catalogue.folder) { path, folder in
      watch(folder, as: path)
    } take: { prefix, name, status in
      if let entry = catalogue.confirm(prefix + name, status) {
        emit(.event(.added(entry)))
      } else {
        initial.append(name, in: prefix, status)
      }
    }
    (initialCount, initialBytes) = (initial.count, initial.bytes)
    report(scan.skipped)
    leftOutAtStart = scan.leftOut
    emit(.event(.leftOut(leftOutAtStart)))
    // A listing of an earlier run may belong to a folder that is gone.
    for listing in catalogue.listings.newest { plan.mark(folder: listing.folder) }
    // The targets of links may lie outside the watched folders.
    if catalogue.folder.rules.followsLinks { rescanAt = now() + WatchedFolder.rescanNanoseconds }
  }

  /// The descriptor to add to an `Epoll`: readable while `takeEvents` has work. Nil if nothing can be watched.
  public var number: Int32? { watches?.number }

  // MARK: Hashing

  /// Returns the files that the caller hashes now. It reports each to `hashed`.
  public func takeReady() -> [ScannedFile] {
    // Files that were added or changed meanwhile are hashed later.
    var files = initial.takeBatch().filter { file in
      ready[BytePath(file.path)] == nil && unsettled[BytePath(file.path)] == nil
        && catalogue.entry(at: file.path) == nil
    }
    if files.isEmpty, initial.isEmpty {
      for path in readyOrder {
        guard let status = ready.removeValue(forKey: path) else { continue }
        files.append(ScannedFile(path: path.text, status: status))
      }
      readyOrder = []
    }
    for file in files { hashing[BytePath(file.path)] = false }
    return files
  }

  public var hasReady: Bool { !ready.isEmpty || !initial.isEmpty }

  /// The progress of hashing the files found at the start, without the current batch. Nil after that.
  public var progress: HashProgress? {
    if !isFirstBatch { return nil }
    return HashProgress(
      bytesDone: initialBytes &- initial.bytes, bytesTotal: initialBytes, filesDone: initialCount - initial.count,
      filesTotal: initialCount)
  }

  /// Takes the result of a file: it is hashed and in the catalogue, or was skipped for a reason.
  public func hashed(_ path: String, _ skipped: SkipReason?) {
    guard let wasTouched = hashing.removeValue(forKey: BytePath(path)) else { return }
    switch skipped {
    case nil:
      plan.mark(above: path)
      if wasTouched { look(at: path, isSettled: false) }
    case .changed?, .stopped?: look(at: path, isSettled: false)
    case .some(let reason):
      if wasTouched { look(at: path, isSettled: false) }
      if case .io(let errno) = reason, errno.code == Errno.noEntry { return }  // it was deleted
      failed[BytePath(path)] = .unreadable
      plan.mark(above: path)
      emit(.event(.skipped(SkippedFile(path: path, reason: reason))))
    }
  }

  /// Ends a batch of `takeReady`. After the last batch of the start, removes deleted files from the database.
  public func batchEnded(wasStopped: Bool) {
    // These files were not reached.
    for path in hashing.keys.sorted() { hashed(path.text, .stopped) }
    if wasStopped { initial = ScannedQueue() }
    guard isFirstBatch, !wasStopped, initial.isEmpty else { return }
    isFirstBatch = false
    let unread = leftOutFiles.values
    if !unread.isEmpty {
      for reason in unread { leftOutAtStart.add(reason) }
      emit(.event(.leftOut(leftOutAtStart)))
    }
    do throws(DatabaseError) {
      try catalogue.forgetExpected(but: Set(unsettled.keys).union(ready.keys))
    } catch {
      emit(.event(.warning("\(error)")))
    }
  }

  // MARK: Files

  /// Checks a file that may no longer be what was hashed.
  public func look(at path: String) { look(at: path, isSettled: false) }

  /// Compares a path with its served entry. `isSettled`: whether its writer has finished.
  func look(at path: String, isSettled: Bool) {
    do throws(Errno) {
      look(at: path, try catalogue.folder.status(path), isSettled: isSettled)
    } catch {
      gone(path, because: error.isGone ? nil : .unreadable(error))
    }
  }

  func look(at path: String, _ status: FileStatus, isSettled: Bool) {
    guard status.kind == .regular else { return gone(path) }
    if let entry = catalogue.entry(at: path) {
      if status.sameContent(as: entry.status) { return forget(path) }
      if status.sameContentButAttributes(as: entry.status) { return touch(entry, status) }
      let isSameFile = status.identity == entry.status.identity
      retire(entry)
      emit(.withdraw(entry, isSameFile ? .changed(path: path) : .removed(path: path)))
    } else if hashing[BytePath(path)] != nil {
      hashing[BytePath(path)] = true
      return
    } else {
      retire(path)
    }
    if isSettled {
      unsettled[BytePath(path)] = nil
      enqueue(path, status)
    } else {
      ready[BytePath(path)] = nil
      wait(path, status)
    }
  }

  /// Gives an entry its file's new attributes. The bytes are the same.
  private func touch(_ entry: CatalogueEntry, _ status: FileStatus) {
    forget(entry.path)
    plan.mark(above: entry.path)
    do throws(DatabaseError) {
      _ = try catalogue.touch(entry, status)
      emit(.replaced(entry))
    } catch {
      emit(.event(.warning("\(error)")))
    }
  }

  /// Handles a path that has no file any more, or none that can be served.
  func gone(_ path: String, because reason: StoredFileError? = nil) {
    forget(path)
    plan.mark(above: path)
    if hashing[BytePath(path)] != nil { hashing[BytePath(path)] = true }
    guard let entry = catalogue.entry(at: path) else { return }
    retire(entry)
    emit(.withdraw(entry, reason ?? .removed(path: path)))
  }

  /// Marks the hashes as those of a deleted file, before the entry is withdrawn, so that they can always be found.
  private func retire(_ entry: CatalogueEntry) {
    do throws(DatabaseError) { try catalogue.store.retire(entry.hashes.number) } catch {
      emit(.event(.warning("\(error)")))
    }
  }

  func forget(_ path: String) {
    if unsettled.isEmpty, ready.isEmpty, failed.isEmpty { return }
    let path = BytePath(path)
    unsettled[path] = nil
    ready[path] = nil
    failed[path] = nil
  }

  var hasInitial: Bool { !initial.isEmpty }
  /// The files that wait for their hash, without those of the start.
  var pathsToHash: [BytePath] { Array(ready.keys) + Array(hashing.keys) }

  private func enqueue(_ path: String, _ status: FileStatus) {
    let path = BytePath(path)
    failed[path] = nil
    guard hashing[path] == nil else {
      hashing[path] = true
      return
    }
    if ready.updateValue(status, forKey: path) == nil { readyOrder.append(path) }
  }

  private func wait(_ path: String, _ status: FileStatus) {
    let due = now() + WatchedFolder.quietNanoseconds
    failed[BytePath(path)] = nil
    unsettled[BytePath(path)] = Unsettled(status: status, lookAt: due)
    earliestLook = min(earliestLook, due)
  }

  // MARK: Time

  /// When `settle` has something to do. Nil: never.
  public var deadline: Int64? {
    var due = min(earliestLook, rescanAt ?? .max, restless.deadline, plan.deadline(after: now()) ?? .max)
    for leaving in leaving.values { due = min(due, leaving.until) }
    return due == .max ? nil : due
  }

  /// Does what is due: quiet files become ready, and a rename without its second event becomes a removal.
  public func settle() {
    let now = now()
    for (cookie, half) in leaving where half.until <= now {
      leaving[cookie] = nil
      left(half)
    }
    if earliestLook <= now {
      let due = unsettled.filter { $0.value.lookAt <= now }
      for (path, before) in due.sorted(by: { $0.key < $1.key }) {
        let status = try? catalogue.folder.status(path.text)
        look(at: path.text, isSettled: status.map { $0.sameContent(as: before.status) } ?? false)
      }
      earliestLook = unsettled.values.reduce(Int64.max) { min($0, $1.lookAt) }
    }
    if let rescanAt, rescanAt <= now { rescan() }
    settleListings(at: now)
  }

  func report(_ skipped: [SkippedFile]) {
    for skipped in skipped { emit(.event(.skipped(skipped))) }
  }

  /// Drops the plans for files below a folder that is gone.
  func forget(below folder: String) {
    for path in unsettled.keys where isBelow(folder, path.text) { unsettled[path] = nil }
    for path in ready.keys where isBelow(folder, path.text) { ready[path] = nil }
    for path in hashing.keys where isBelow(folder, path.text) { hashing[path] = true }
    for path in failed.keys where isBelow(folder, path.text) { failed[path] = nil }
  }
}
