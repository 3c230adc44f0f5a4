// Keeps a catalogue in step with its folder: what is added, changed, renamed or removed is noticed, and served or
// withdrawn. Decides when a file is quiet enough to be hashed; hashing is done elsewhere, and reported back.
import Content
import Posix
import SQLite

/// Confined to one thread. Time is handed in, in nanoseconds of any clock that never goes back.
public final class WatchedFolder {
  /// A file that nobody has closed, nor changed for so long, is taken to be complete.
  static let quietNanoseconds: Int64 = 1_000_000_000
  /// The two halves of a rename come at almost the same time.
  static let renameNanoseconds: Int64 = 100_000_000
  /// Where not all folders can be watched, the whole tree is looked through: this often, and never more than a small
  /// part of the time.
  static let rescanNanoseconds: Int64 = 10_000_000_000
  static let rescanShare: Int64 = 20

  let catalogue: Catalogue
  let now: () -> Int64
  let emit: (FolderNews) -> Void

  /// Nil where the system gives no more of them.
  var watches: FolderWatches?
  var rescanAt: Int64?
  /// Not all folders are watched.
  var watchesFailed = false
  /// When the first look at all files began.
  let lookedAt: Int64

  /// A file that may still be being written: what it was when last looked at, and when to look again.
  struct Unsettled {
    let status: FileStatus
    var lookAt: Int64
  }
  var unsettled: [BytePath: Unsettled] = [:]
  /// No file in `unsettled` is due before.
  var earliestLook = Int64.max
  /// The files that were there at the start and that the database does not have: hashed first, a batch at a time. A path
  /// that is in `ready` or `unsettled` too has changed since.
  private var initial = ScannedQueue()
  private var (initialCount, initialBytes) = (0, UInt64(0))
  /// To be hashed next, in this order; a path that is no longer in `ready` has changed since.
  private var readyOrder: [BytePath] = []
  private var ready: [BytePath: FileStatus] = [:]
  /// Being hashed; true: something happened to it meanwhile, so the folder looks at it again.
  private var hashing: [BytePath: Bool] = [:]
  /// What the first look left out.
  private var leftOutAtStart = LeftOutCounts()
  /// Files that were there at the start are still hashed.
  public private(set) var isFirstBatch = true

  var plan: ListingPlan
  var restless = RestlessFiles()
  /// Files that cannot be hashed.
  var failed: [BytePath: LeftOut] = [:]

  /// The first halves of renames.
  struct Leaving {
    let path: String
    let isFolder: Bool
    let until: Int64
  }
  var leaving: [UInt32: Leaving] = [:]

  /// Begins to watch and finds the files that are there: those that the database knows are served, all others are ready
  /// to be hashed. Throws where the folder cannot be listed.
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
    // A listing of an earlier run may be of a folder that is gone.
    for listing in catalogue.listings.newest { plan.mark(folder: listing.folder) }
    // The targets of links may lie where nothing is watched.
    if catalogue.folder.rules.followsLinks { rescanAt = now() + WatchedFolder.rescanNanoseconds }
  }

  /// To be added to an `Epoll`: readable while `takeEvents` has something to do. Nil where nothing can be watched.
  public var number: Int32? { watches?.number }

  // MARK: Hashing

  /// The files to be hashed now, which are being hashed from then on; see `hashed`.
  public func takeReady() -> [ScannedFile] {
    // A file that came or changed meanwhile is hashed later.
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

  /// How far hashing is of the files that were there at the start, up to the next batch; nil after that.
  public var progress: HashProgress? {
    if !isFirstBatch { return nil }
    return HashProgress(
      bytesDone: initialBytes &- initial.bytes, bytesTotal: initialBytes, filesDone: initialCount - initial.count,
      filesTotal: initialCount)
  }

  /// A file is hashed and in the catalogue, or is not, for a reason.
  public func hashed(_ path: String, _ skipped: SkipReason?) {
    guard let wasTouched = hashing.removeValue(forKey: BytePath(path)) else { return }
    switch skipped {
    case nil:
      plan.mark(above: path)
      if wasTouched { look(at: path, isSettled: false) }
    case .changed?, .stopped?: look(at: path, isSettled: false)
    case .some(let reason):
      if wasTouched { look(at: path, isSettled: false) }
      if case .io(let errno) = reason, errno.code == Errno.noEntry { return }  // it is simply gone
      failed[BytePath(path)] = .unreadable
      plan.mark(above: path)
      emit(.event(.skipped(SkippedFile(path: path, reason: reason))))
    }
  }

  /// All that `takeReady` gave is hashed. When all files of the start are, what the database knows of files that are gone
  /// goes too.
  public func batchEnded(wasStopped: Bool) {
    // What was not come to.
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

  /// Looks at a file that is, or may be, no longer what was hashed.
  public func look(at path: String) { look(at: path, isSettled: false) }

  /// Compares a path with what is served of it. `isSettled`: its writer has finished.
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

  /// A file has other attributes, and the same bytes.
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

  /// Nothing is there any more, or nothing that could be served.
  func gone(_ path: String, because reason: StoredFileError? = nil) {
    forget(path)
    plan.mark(above: path)
    if hashing[BytePath(path)] != nil { hashing[BytePath(path)] = true }
    guard let entry = catalogue.entry(at: path) else { return }
    retire(entry)
    emit(.withdraw(entry, reason ?? .removed(path: path)))
  }

  /// No path has the file any more. Before it is withdrawn, so that its hashes are found as those of a file that is gone.
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
  /// The files that wait for their hash, besides those of the start.
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

  /// When `settle` has something to do.
  public var deadline: Int64? {
    var due = min(earliestLook, rescanAt ?? .max, restless.deadline, plan.deadline(after: now()) ?? .max)
    for leaving in leaving.values { due = min(due, leaving.until) }
    return due == .max ? nil : due
  }

  /// Does what is due: files that are quiet become ready, first halves of renames without a second are removals.
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

  /// Drops what was planned for files below a folder that is gone from there.
  func forget(below folder: String) {
    for path in unsettled.keys where isBelow(folder, path.text) { unsettled[path] = nil }
    for path in ready.keys where isBelow(folder, path.text) { ready[path] = nil }
    for path in hashing.keys where isBelow(folder, path.text) { hashing[path] = true }
    for path in failed.keys where isBelow(folder, path.text) { failed[path] = nil }
  }
}
