// Walks the tree of a part folder along its listing: when the part is opened, when the output gets its name, and when
// the part is removed.
import Content
import Posix

extension FolderPart {
  /// The purpose of a walk.
  enum TreeWork {
    /// Makes the folders of the wanted entries, and finds the entries that exist.
    case opening
    /// Makes empty files, checks the other wanted files, and removes what is not wanted.
    case placing
    /// Removes every entry, and every folder that is empty after that.
    case removing
  }

  /// The bytes of the wanted files, and how many of them the disk already holds.
  struct TreeBytes {
    var length: UInt64 = 0
    var present: UInt64 = 0
  }

  func isWanted(_ entry: Int) -> Bool { wanted?.contains(entry) ?? true }

  /// Walks the tree. Only one thread may use the tree at that time.
  @discardableResult
  func walk(_ work: TreeWork) throws(PartFileError) -> TreeBytes {
    guard work == .placing else {
      var walk = try FolderTreeWalk(self, work)
      return try walk.run()
    }
    return try FileChecks.run(listing) { checks throws(PartFileError) in
      var walk = try FolderTreeWalk(self, work, checks)
      return try walk.run()
    }
  }
}

/// A walk along the listing. It opens each folder from its parent and reads the names in it. A name counts as present
/// only if its bytes are equal, even where the file system treats other names as the same.
struct FolderTreeWalk {
  /// A folder on the way to the current entry.
  private struct Level {
    /// Nil is the tree itself.
    let path: FolderPath?
    /// Nil if it does not exist.
    var folder: OpenFolder?
    /// Names in the folder that the walk has not met in the listing.
    var names: Set<[UInt8]> = []
    /// Whether a wanted entry lies in it.
    var isNeeded = false
  }

  private let part: FolderPart
  private let work: FolderPart.TreeWork
  private let checks: FileChecks?
  /// Files of the current folder that are still to check.
  private var unchecked: FileChecks.Batch?
  private var levels: [Level] = []
  private var bytes = FolderPart.TreeBytes()

  init(_ part: FolderPart, _ work: FolderPart.TreeWork, _ checks: FileChecks? = nil) throws(PartFileError) {
    (self.part, self.work, self.checks) = (part, work, checks)
    levels.append(Level(path: nil, folder: part.tree, names: try FolderTreeWalk.names(in: part.tree), isNeeded: true))
  }

  mutating func run() throws(PartFileError) -> FolderPart.TreeBytes {
    let listing = part.listing
    for entry in 0..<listing.count {
      let path = listing.path(of: entry)
      if listing.isEmptyFolder(entry) {
        try enter(path)
        if isWanted(entry) { try need(levels.count - 1) }
      } else {
        try enter(path.parent)
        try visit(entry, path.name)
      }
    }
    while levels.count > 1 { try leave() }
    try end(levels[0])
    if let unchecked { try checks?.add(unchecked) }
    return bytes
  }

  private func isWanted(_ entry: Int) -> Bool { work != .removing && part.isWanted(entry) }

  private static func names(in folder: OpenFolder) throws(PartFileError) -> Set<[UInt8]> {
    do throws(Errno) { return Set(try folder.directory.entries().map(\.name)) } catch { throw .io(error) }
  }

  // MARK: Folders

  /// Goes to a folder: leaves other folders and enters those on its path.
  private mutating func enter(_ path: FolderPath?) throws(PartFileError) {
    while let last = levels.last?.path, last != path, !(path?.isBelow(last) ?? false) { try leave() }
    guard let path, path != levels[levels.count - 1].path else { return }
    for name in path.components[(levels.count - 1)...] {
      let parent = levels[levels.count - 1]
      let below = parent.path.map { FolderPath(utf8: $0.utf8 + [UInt8(ascii: "/")] + name.utf8) } ?? name
      var level = Level(path: below)
      if levels[levels.count - 1].names.remove(name.utf8) != nil, let folder = parent.folder {
        level.folder = try open(name, in: folder)
        if let folder = level.folder { level.names = try FolderTreeWalk.names(in: folder) }
      }
      levels.append(level)
    }
  }

  /// Opens a folder. Nil if a removing walk finds something else under the name.
  private func open(_ name: FolderPath, in folder: OpenFolder) throws(PartFileError) -> OpenFolder? {
    do throws(Errno) { return try folder.openFolder(name.description) } catch {
      if work == .removing { return nil }
      guard error.code == Errno.symbolicLink || error.code == Errno.notFolder else { throw .io(error) }
      throw .foreign(path: folder.directory.path(of: name.description), what: "not a folder")
    }
  }

  /// Makes the folder of a level, and its parents.
  private mutating func need(_ level: Int) throws(PartFileError) {
    if levels[level].isNeeded { return }
    try need(level - 1)
    levels[level].isNeeded = true
    guard levels[level].folder == nil, let path = levels[level].path, let parent = levels[level - 1].folder else {
      return
    }
    levels[level].folder = try part.makeFolder(path, in: parent)
  }

  private mutating func leave() throws(PartFileError) {
    let level = levels.removeLast()
    try end(level)
    guard work != .opening, !level.isNeeded, level.folder != nil, let name = level.path?.name.description else {
      return
    }
    do throws(Errno) { try levels[levels.count - 1].folder?.directory.removeDirectory(name) } catch {
      if work == .placing { throw .io(error) }
    }
  }

  /// Ends the visit of a folder whose entries were all visited.
  private func end(_ level: Level) throws(PartFileError) {
    guard let folder = level.folder, work != .removing else { return }
    if let name = level.names.min(by: { $0.lexicographicallyPrecedes($1) }) {
      let path = folder.directory.path(of: String(decoding: name, as: UTF8.self))
      throw .foreign(path: path, what: "not of this download")
    }
    guard level.isNeeded, !part.syncsFileSystem else { return }
    do throws(Errno) { try folder.directory.sync() } catch { throw .io(error) }
  }

  // MARK: Files and links

  private mutating func visit(_ entry: Int, _ name: FolderPath) throws(PartFileError) {
    let last = levels.count - 1
    let isThere = levels[last].names.remove(name.utf8) != nil
    if isWanted(entry) { try need(last) }
    guard let folder = levels[last].folder else { return }
    switch work {
    case .opening: try find(entry, name.description, in: folder, isThere: isThere)
    case .placing where isWanted(entry): try finish(entry, name.description, in: folder, isThere: isThere)
    case .placing, .removing:
      guard isThere else { return }
      do throws(Errno) { try folder.directory.remove(name.description) } catch {
        if work == .placing { throw .io(error) }
      }
      part.states.withLock { states in
        states.made.remove(entry)
        states.unsynced.remove(entry)
      }
    }
  }

  /// Takes over an entry that an earlier download made.
  private mutating func find(
    _ entry: Int, _ name: String, in folder: OpenFolder, isThere: Bool
  ) throws(PartFileError) {
    let length = part.listing.isFile(entry) ? part.listing.fileLength(of: entry) : 0
    if isWanted(entry) { bytes.length += length }
    guard isThere else { return }
    let status = try status(of: name, in: folder)
    part.states.withLock { $0.made.insert(entry) }
    guard part.listing.isFile(entry) else {
      if status.kind == .symbolicLink { return }
      throw .foreign(path: folder.directory.path(of: name), what: "not of this download")
    }
    if let what = FolderPart.foreignness(of: status) {
      throw .foreign(path: folder.directory.path(of: name), what: what)
    }
    // The earlier download may have ended before it synced the file.
    part.states.withLock { $0.unsynced.insert(entry) }
    if status.mode & 0o600 != 0o600 { try makeWritable(entry, name, in: folder) }
    var present = min(status.size, length)
    if status.size > length || part.isLarge(length) {
      do throws(Errno) {
        let file = try folder.directory.open(name, [.readWrite, .noFollow, .nonBlocking])
        if status.size > length { try file.truncate(to: length) }
        present = min(length, try file.allocatedByteCount())
      } catch {
        throw part.failure(error)
      }
    }
    if isWanted(entry) { bytes.present += present }
  }

  /// Makes a file writable again. An earlier update may have given it an old file's permissions and then ended.
  private func makeWritable(_ entry: Int, _ name: String, in folder: OpenFolder) throws(PartFileError) {
    let mode: UInt32 = part.listing.isExecutable(entry) ? 0o777 : 0o666
    do throws(Errno) {
      let file = try folder.directory.open(name, [.read, .noFollow, .nonBlocking])
      try file.setMode(mode & ~Environment.fileModeMask | 0o600)
    } catch {
      throw part.failure(error)
    }
  }

  /// Completes an entry of the output: makes an empty file or checks another one. Links are made later.
  private mutating func finish(
    _ entry: Int, _ name: String, in folder: OpenFolder, isThere: Bool
  ) throws(PartFileError) {
    guard part.listing.isFile(entry) else { return }
    guard isThere else {
      if part.listing.fileLength(of: entry) == 0 {
        _ = try part.make(entry, in: folder)
        return
      }
      throw .io(Errno(code: Errno.noEntry, call: "readdir", subject: folder.directory.path(of: name)))
    }
    try check(entry, name, in: folder)
  }

  /// Hands in a file for its check, which may run on another thread.
  private mutating func check(_ entry: Int, _ name: String, in folder: OpenFolder) throws(PartFileError) {
    let isFull = unchecked.map { $0.folder !== folder || $0.files.count >= FileChecks.filesMax } ?? false
    if isFull, let batch = unchecked.take() { try checks?.add(batch) }
    if unchecked == nil { unchecked = FileChecks.Batch(folder: folder) }
    unchecked?.files.append((entry, name))
  }

  private func status(of name: String, in folder: OpenFolder) throws(PartFileError) -> FileStatus {
    do throws(Errno) { return try folder.directory.status(of: name) } catch { throw .io(error) }
  }
}
