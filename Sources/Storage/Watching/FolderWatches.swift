// The watch of each folder: the kernel names watches, people name paths. A folder that is renamed keeps its watch.
import Posix

/// The watches of a tree of folders, confined to one thread.
struct FolderWatches: ~Copyable {
  /// What is asked of every folder. Not who opens or reads: only what may change what is served.
  private static let changes: FolderChange = [
    .created, .deleted, .modified, .writerClosed, .attributes, .movedFrom, .movedTo,
  ]

  private let inotify: Inotify
  private var paths: [Int32: String] = [:]
  private var watches: [BytePath: Int32] = [:]

  init() throws(Errno) { inotify = try Inotify() }

  /// To be added to an `Epoll`.
  var number: Int32 { inotify.number }
  var count: Int { paths.count }

  func read() throws(Errno) -> [FolderEvent] { try inotify.read() }

  /// The folder of a watch, relative to the served one; nil where the news is of a watch that was ended.
  func path(of watch: Int32) -> String? { paths[watch] }

  /// Watches a folder; where it is watched under another path, it has this one from now on.
  mutating func watch(_ folder: borrowing Directory, as path: String) throws(Errno) {
    let watch = try inotify.watch(folder, FolderWatches.changes)
    if let old = paths[watch] { watches[BytePath(old)] = nil }
    if let other = watches[BytePath(path)], other != watch { end(other) }
    paths[watch] = path
    watches[BytePath(path)] = watch
  }

  /// The kernel has ended a watch.
  mutating func forget(_ watch: Int32) {
    guard let path = paths.removeValue(forKey: watch) else { return }
    if watches[BytePath(path)] == watch { watches[BytePath(path)] = nil }
  }

  private mutating func end(_ watch: Int32) {
    inotify.end(watch)
    forget(watch)
  }

  /// A folder has another path, and with it all below it.
  mutating func rename(_ old: String, to new: String) {
    let moved = paths.filter { isSame($0.value, old) || isBelow(old, $0.value) }
    for (_, path) in moved { watches[BytePath(path)] = nil }
    for (watch, path) in moved {
      let renamed = movedPath(path, from: old, to: new)
      paths[watch] = renamed
      watches[BytePath(renamed)] = watch
    }
  }

  /// Ends the watch of a folder and of all below it.
  mutating func end(below folder: String) {
    for (watch, path) in paths where isSame(path, folder) || isBelow(folder, path) { end(watch) }
  }

  /// Ends the watches of all folders but these.
  mutating func end(exceptOf kept: Set<BytePath>) {
    for (watch, path) in paths where !kept.contains(BytePath(path)) { end(watch) }
  }
}
