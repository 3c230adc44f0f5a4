// The end of an update. Each entry is moved to its place in the output in one step; after that, names are deleted.
import Content
import Posix

/// Moves the complete entries of a part folder into the output. Used by one thread, once.
/// Every folder is opened beneath the output without following links, and each call takes one name in it. So nothing
/// outside the output changes, whatever another program does to the output meanwhile.
struct UpdateEnding {
  private let update: FolderUpdate
  private let plan: FolderUpdatePlan
  private let part: FolderPart
  private let obstacles: Set<Int>
  /// The folders in which names were changed. Nil is the output itself.
  private var changed: Set<FolderPath?> = []

  init(_ update: FolderUpdate) {
    (self.update, plan, part) = (update, update.plan, update.part)
    obstacles = Set(update.plan.obstacles)
  }

  private var listing: FolderListing { plan.listing }
  private var scan: OutputScan { plan.scan }

  consuming func run() throws(PartFileError) {
    try part.completeTree()
    try keepOldModes()
    try part.syncData()
    try checkOutput()
    for entry in plan.missing.entries where plan.replacedFolders[entry] == nil { try install(entry) }
    for entry in plan.modeChanges { try changeMode(of: entry) }
    // Names that served as sources of entries are deleted only after those entries are on the disk.
    try sync()
    deleteNames()
    for entry in plan.replacedFolders.keys.sorted() where !plan.kept.contains(entry) {
      try removeFolder(at: entry)
      try install(entry)
    }
    try sync()
  }

  // MARK: Before anything is changed

  /// Throws if another program changed a path of the version since the scan.
  private func checkOutput() throws(PartFileError) {
    for entry in plan.wanted.entries {
      let path = listing.path(of: entry)
      guard let place = plan.names[entry] else { continue }
      guard let now = try status(path), now.sameBytes(as: scan.names[place].status) else { throw changed(path) }
    }
  }

  /// Returns what is at a path of the output now. Nil: nothing.
  private func status(_ path: FolderPath) throws(PartFileError) -> FileStatus? {
    do throws(Errno) { return try folder(path.parent).directory.status(of: path.name.description) } catch {
      if [Errno.noEntry, Errno.notFolder, Errno.symbolicLink].contains(error.code) { return nil }
      throw .io(error)
    }
  }

  private func changed(_ path: FolderPath) -> PartFileError {
    .update(.changed(path: update.output.directory.path(of: path.description)))
  }

  /// Gives each file that replaces another one the permissions of the old file.
  private func keepOldModes() throws(PartFileError) {
    let mask = Environment.fileModeMask
    for entry in plan.missing.entries where listing.isFile(entry) {
      guard let place = plan.names[entry] else { continue }
      let old = scan.names[place].status
      guard old.kind == .regular else { continue }
      let mode = UpdateEnding.mode(listing.isExecutable(entry), like: old.mode)
      guard mode != (listing.isExecutable(entry) ? 0o777 : 0o666) & ~mask else { continue }
      do throws(Errno) { try part.openToRead(entry)?.file.setMode(mode) } catch { throw .io(error) }
    }
  }

  /// Returns permissions like another file's. Everyone who may read an executable file may execute it. The owner may
  /// read every file, because a later update must read it.
  static func mode(_ isExecutable: Bool, like mode: UInt32) -> UInt32 {
    let plain = mode & 0o666 | 0o400
    return isExecutable ? plain | (plain & 0o444) >> 2 | 0o100 : plain
  }

  // MARK: Folders

  /// Opens a folder of the output. A nil path is the output itself.
  private func folder(_ path: FolderPath?) throws(Errno) -> OpenFolder {
    guard let path else { return update.output }
    return try update.folders.value(for: path) { () throws(Errno) in
      try update.output.openFolder(path.description)
    }
  }

  /// As `folder`, but makes a missing folder. Removes a file or link in its way if the plan says so.
  private mutating func neededFolder(_ path: FolderPath?) throws(PartFileError) -> OpenFolder {
    guard let path else { return update.output }
    do throws(Errno) { return try folder(path) } catch {
      guard [Errno.noEntry, Errno.notFolder, Errno.symbolicLink].contains(error.code) else { throw .io(error) }
    }
    let parent = try neededFolder(path.parent)
    do throws(Errno) {
      guard try makeWay(for: path, in: parent) else { throw Errno(code: Errno.exists, call: "mkdirat") }
      try parent.directory.makeDirectory(path.name.description, mode: 0o777)
      changed.insert(path.parent)
      return try folder(path)
    } catch {
      throw error.code == Errno.exists || error.code == Errno.noEntry ? changed(path) : part.makingFailure(error)
    }
  }

  /// Removes a file or link where a folder belongs. Returns false if something else is there.
  private func makeWay(for path: FolderPath, in parent: OpenFolder) throws(Errno) -> Bool {
    guard let place = scan.place(of: path) else { return true }
    let name = path.name.description
    let isSame = try parent.directory.status(of: name).sameContent(as: scan.names[place].status)
    guard isSame, obstacles.contains(place) else { return false }
    try parent.directory.remove(name)
    return true
  }

  // MARK: Entries

  private mutating func install(_ entry: Int) throws(PartFileError) {
    let path = listing.path(of: entry)
    if listing.isEmptyFolder(entry) {
      _ = try neededFolder(path)
      return
    }
    let folder = try neededFolder(path.parent)
    let isInPlace: Bool
    do throws(Errno) { isInPlace = try move(entry, path, to: folder) } catch {
      if error.code == Errno.exists, let status = try status(path) { throw plan.taken(path, by: status) }
      throw error.code == Errno.noEntry ? changed(path) : part.makingFailure(error)
    }
    guard isInPlace else { throw changed(path) }
    changed.insert(path.parent)
    try update.afterMove()
  }

  /// Moves an entry from the part's tree to its place. Returns false if another program changed what is there.
  private func move(_ entry: Int, _ path: FolderPath, to folder: OpenFolder) throws(Errno) -> Bool {
    let name = path.name.description
    let tree = try part.openFolder(path.parent)
    guard let place = plan.names[entry] else {
      try UpdateEnding.moveToFreeName(name, from: tree.directory, to: folder.directory)
      return true
    }
    guard try folder.directory.status(of: name).sameBytes(as: scan.names[place].status) else { return false }
    try tree.directory.move(name, to: name, in: folder.directory)
    return true
  }

  private static func moveToFreeName(
    _ name: String, from tree: borrowing Directory, to folder: borrowing Directory
  ) throws(Errno) {
    do throws(Errno) {
      return try tree.moveWithoutReplacing(name, to: name, in: folder)
    } catch {
      guard error.code == Errno.invalid || error.code == Errno.notImplemented else { throw error }
    }
    // This file system cannot refuse a taken name.
    if (try? folder.status(of: name)) != nil {
      throw Errno(code: Errno.exists, call: "renameat", subject: folder.path(of: name))
    }
    try tree.move(name, to: name, in: folder)
  }

  /// Gives a kept file its new mode.
  private func changeMode(of entry: Int) throws(PartFileError) {
    guard let place = plan.names[entry] else { return }
    let path = listing.path(of: entry)
    let isDone: Bool
    do throws(Errno) {
      let file = try folder(path.parent).directory.open(path.name.description, [.read, .noFollow, .nonBlocking])
      let now = try file.status()
      isDone = now.sameBytes(as: scan.names[place].status) && now.linkCount == 1
      if isDone { try file.setMode(UpdateEnding.mode(listing.isExecutable(entry), like: now.mode)) }
    } catch {
      throw part.failure(error)
    }
    guard isDone else { throw changed(path) }
  }

  // MARK: Deletions

  /// Removes the planned names that have not changed since the scan and that no listed path leads to.
  private mutating func deleteNames() {
    guard !plan.deletions.isEmpty else { return }
    let listed = ListedFiles(listing, in: update.output)
    for place in plan.deletions.reversed() {
      let name = scan.names[place]
      guard let parent = try? folder(name.path.parent),
        let now = try? parent.directory.status(of: name.path.name.description), isSame(now, name.status),
        !listed.identities.contains(now.identity)
      else { continue }
      delete(name, in: parent)
    }
  }

  private func isSame(_ now: FileStatus, _ then: FileStatus) -> Bool {
    // The times of a folder change with its contents.
    now.kind == then.kind && (then.kind == .directory ? now.identity == then.identity : now.sameBytes(as: then))
  }

  /// Deletes a name. Leaves a folder that is not empty, and a name that cannot be removed.
  private mutating func delete(_ name: ScannedName, in parent: OpenFolder) {
    let text = name.path.name.description
    do throws(Errno) {
      if name.status.kind == .directory {
        try parent.directory.removeDirectory(text)
      } else {
        try parent.directory.remove(text)
      }
      changed.insert(name.path.parent)
      changed.remove(name.path)
    } catch {}
  }

  /// Removes the folder at the path of a file or link, with the empty folders in it.
  private mutating func removeFolder(at entry: Int) throws(PartFileError) {
    guard let place = plan.replacedFolders[entry] else { return }
    let path = listing.path(of: entry)
    for below in ([place] + Array(scan.places(below: place))).reversed() {
      let name = scan.names[below]
      guard let parent = try? folder(name.path.parent) else { continue }
      guard let now = try? parent.directory.status(of: name.path.name.description), isSame(now, name.status) else {
        continue
      }
      if name.status.kind == .directory { delete(name, in: parent) }
    }
    guard let left = try status(path) else { return }
    guard left.kind == .directory, let held = try? folder(path).directory.entries().first else { throw changed(path) }
    // The name is new, or a listed path leads to it.
    let name = String(decoding: held.name, as: UTF8.self)
    throw .update(.unlisted(folder: update.output.directory.path(of: path.description), name: name))
  }

  // MARK: Syncing

  /// Waits until the changes are on the disk.
  private func sync() throws(PartFileError) {
    do throws(Errno) {
      if part.syncsFileSystem { return try update.output.directory.syncFileSystem() }
      for path in changed { try folder(path).directory.sync() }
    } catch {
      throw .io(error)
    }
  }
}
