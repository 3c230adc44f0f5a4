// The watch of each folder. The kernel numbers watches, and this maps the numbers to paths. A renamed folder keeps its
// watch.
import Posix

/// The watches of a tree of folders. Confined to one thread.
struct FolderWatches: ~Copyable {
  /// The events of every folder: only those that may change what is served, not opening or reading.
  private static let changes: FolderChange = [
    .created, .deleted, .modified, .writerClosed, .attributes, .movedFrom, .movedTo,
  ]

  private let inotify: Inotify
  private var paths: [Int32: String] = [:]
  private var watches: [BytePath: Int32] = [:]

  init() throws(Errno) { inotify = try Inotify() }

  /// The descriptor to add to an `Epoll`.
  var number: Int32 { inotify.number }
  var count: Int { paths.count }

  func read() throws(Errno) -> [FolderEvent] { try inotify.read() }

  /// Returns the folder of a watch, relative to the served folder. Nil if the watch has ended.
  func path(of watch: Int32) -> String? { paths[watch] }

  /// Watches a folder. If it is already watched under another path, it gets this path.
  mutating func watch(_ folder: borrowing Directory, as path: String) throws(Errno) {
    let watch = try inotify.watch(folder, FolderWatches.changes)
    if let old = paths[watch] { watches[BytePath(old)] = nil }
    if let other = watches[BytePath(path)], other != watch { end(other) }
    paths[watch] = path
    watches[BytePath(path)] = watch
  }

  /// Forgets a watch that the kernel has ended.
  mutating func forget(_ watch: Int32) {
    guard let path = paths.removeValue(forKey: watch) else { return }
    if watches[BytePath(path)] == watch { watches[BytePath(path)] = nil }
  }

  private mutating func end(_ watch: Int32) {
    inotify.end(watch)
    forget(watch)
  }

  /// Gives a folder and everything below it a new path.
  mutating func rename(_ old: String, to new: String) {
    let moved = paths.filter { isSame($0.value, old) || isBelow(old, $0.value) }
    for (_, path) in moved { watches[BytePath(path)] = nil }
    for (watch, path) in moved {
      let renamed = movedPath(path, from: old, to: new)
      paths[watch] = renamed
      watches[BytePath(renamed)] = watch
    }
  }

  /// Ends the watches of a folder and of all folders below it.
  mutating func end(below folder: String) {
    for (watch, path) in paths where isSame(path, folder) || isBelow(folder, path) { end(watch) }
  }

  /// Ends the watches of all other folders.
  mutating func end(exceptOf kept: Set<BytePath>) {
    for (watch, path) in paths where !kept.contains(BytePath(path)) { end(watch) }
  }
}
