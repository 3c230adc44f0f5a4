// Syncs a part folder to the disk: the whole file system if it reports failures, otherwise file by file.
import Content
import Posix
import Synchronization

extension FolderPart {
  /// The number of threads that sync files: a disk works on several at once.
  private static let syncThreads = 4

  /// Syncs the data, as `PartStorage` says. The names of the files are then on the disk too.
  public func syncData() throws(PartFileError) {
    if let failure = syncFailure.withLock({ $0 }) { throw failure }
    let none = EntrySet(entryCount: listing.count)
    let written = states.withLock { states in
      defer { states.unsynced = none }
      return states.unsynced
    }
    do throws(Errno) {
      if syncsFileSystem {
        // The descriptor was opened with the part, so it reports every failure since then.
        try part.folder.syncFileSystem()
      } else {
        try sync(written.entries)
      }
    } catch {
      let failure = failure(error)
      syncFailure.withLock { $0 = failure }
      // The kernel's cache may differ from the disk. Drops it, so that a later `get` reads the disk.
      for entry in written.entries { (try? openToRead(entry))??.file.dropCache() }
      throw failure
    }
  }

  public func syncFolder() throws(PartFileError) {
    do throws(Errno) {
      if !hasPlace.load(ordering: .acquiring) { try part.folder.sync() }
      try part.parent.sync()
    } catch {
      throw .io(error)
    }
  }

  /// Syncs files and their folders.
  private func sync(_ entries: [Int]) throws(Errno) {
    let search = EntrySync(entries) { entry throws(Errno) in try self.openToRead(entry)?.file.syncData() }
    try search.run(threads: min(FolderPart.syncThreads, entries.count))
    var last: FolderPath?
    for entry in entries {
      // Entries of one folder follow each other, except for those of its subfolders.
      guard let parent = listing.path(of: entry).parent, parent != last else { continue }
      last = parent
      try openFolder(parent).directory.sync()
    }
    try tree.directory.sync()
  }
}

/// Threads that each take one entry after the other until one fails.
private final class EntrySync: Sendable {
  private struct State {
    var next = 0
    var failure: Errno?
  }

  private let entries: [Int]
  private let body: @Sendable (Int) throws(Errno) -> Void
  private let state = Mutex(State())

  init(_ entries: [Int], _ body: @escaping @Sendable (Int) throws(Errno) -> Void) {
    (self.entries, self.body) = (entries, body)
  }

  func run(threads: Int) throws(Errno) {
    let others = (1..<max(1, threads)).map { i in Thread.start(name: "p2p-sync-\(i)") { self.work() } }
    work()
    for thread in others { thread.join() }
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }

  private func work() {
    while let entry = claim() {
      do throws(Errno) { try body(entry) } catch { state.withLock { $0.failure = error } }
    }
  }

  private func claim() -> Int? {
    state.withLock { state in
      guard state.failure == nil, state.next < entries.count else { return nil }
      defer { state.next += 1 }
      return entries[state.next]
    }
  }
}
