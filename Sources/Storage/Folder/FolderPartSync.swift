// What was written to a part folder reaches the disk: all at once if the file system can, else file by file.
import Content
import Posix
import Synchronization

extension FolderPart {
  /// Threads that sync files: the disk works on several at once.
  private static let syncThreads = 4

  /// As `PartStorage` says. The names of the files are on the disk then, too.
  public func syncData() throws(PartFileError) {
    if let failure = syncFailure.withLock({ $0 }) { throw failure }
    let none = EntrySet(entryCount: listing.count)
    let written = states.withLock { states in
      defer { states.unsynced = none }
      return states.unsynced
    }
    do throws(Errno) {
      if syncsFileSystem {
        // The descriptor is as old as the part, so that no failure since then is missed.
        try part.folder.syncFileSystem()
      } else {
        try sync(written.entries)
      }
    } catch {
      let failure = failure(error)
      syncFailure.withLock { $0 = failure }
      // What the kernel still has in memory is not what the disk has: a later `get` shall see the disk.
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

  /// Syncs files, and the folders that they lie in.
  private func sync(_ entries: [Int]) throws(Errno) {
    let search = EntrySync(entries) { entry throws(Errno) in try self.openToRead(entry)?.file.syncData() }
    try search.run(threads: min(FolderPart.syncThreads, entries.count))
    var last: FolderPath?
    for entry in entries {
      // Entries of one folder follow on each other, but for its subfolders.
      guard let parent = listing.path(of: entry).parent, parent != last else { continue }
      last = parent
      try openFolder(parent).directory.sync()
    }
    try tree.directory.sync()
  }
}

/// Threads that take an entry each until one fails.
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
