// The files of a part folder while they are written. Each is made once, with its final mode, and is never opened
// through a link.
import Content
import Posix
import Synchronization

/// An open file of a part folder.
final class OpenPartFile: Sendable {
  let file: File
  /// The bytes of the finished file.
  let length: UInt64
  /// The bytes written since it was opened.
  let bytesWritten = Atomic<UInt64>(0)
  /// The offset up to which space was reserved when it was opened. Nil: no space is reserved for it.
  let reservedEnd: UInt64?

  init(_ file: consuming File, length: UInt64, reservedEnd: UInt64? = nil) {
    self.file = file
    self.length = length
    self.reservedEnd = reservedEnd
  }
}

extension FolderPart {
  /// Whether a file has one leaf. Then it is written in one piece and does not stay open.
  func isSmall(_ entry: Int) -> Bool { listing.fileLength(of: entry) <= UInt64(cut.leafSize) }

  /// Whether a file has more than one chunk. Then space is reserved for it.
  func isLarge(_ length: UInt64) -> Bool { length > UInt64(cut.chunkSize) }

  func isMade(_ entry: Int) -> Bool { states.withLock { $0.made.contains(entry) } }

  // MARK: Writing

  /// The folder of the file that was written last. The next file is often in the same folder.
  struct NearFolder {
    var path: FolderPath?
    /// Nil if no file was written before.
    var folder: OpenFolder?
  }

  private func folder(_ path: FolderPath?, _ near: inout NearFolder) throws(PartFileError) -> OpenFolder {
    if let folder = near.folder, near.path == path { return folder }
    let folder = try folder(path)
    near = NearFolder(path: path, folder: folder)
    return folder
  }

  /// Opens a file of several leaves, or makes it. It stays open.
  func openShared(_ entry: Int, _ near: inout NearFolder) throws(PartFileError) -> OpenPartFile {
    try files.value(for: entry) { () throws(PartFileError) in
      let length = listing.fileLength(of: entry)
      let file = try openToWrite(entry, &near)
      guard isLarge(length) else { return OpenPartFile(file, length: length) }
      do throws(Errno) { try file.truncate(to: length) } catch { throw failure(error) }
      let end = try reserveStart(of: file, length: length)
      return OpenPartFile(file, length: length, reservedEnd: end)
    }
  }

  /// Opens a file, or makes it with its final mode.
  func openToWrite(_ entry: Int, _ near: inout NearFolder) throws(PartFileError) -> File {
    let path = listing.path(of: entry)
    let folder = try folder(path.parent, &near)
    return try making[entry % making.count].mutex.withLock { _ throws(PartFileError) in
      isMade(entry) ? try openMade(path.name.description, in: folder) : try make(entry, in: folder)
    }
  }

  /// Makes a file in its folder. The caller holds the file's lock in `making`, or is the only thread.
  func make(_ entry: Int, in folder: OpenFolder) throws(PartFileError) -> File {
    let path = listing.path(of: entry)
    let mode: UInt32 = listing.isExecutable(entry) ? 0o777 : 0o666
    let file: File
    do throws(Errno) {
      file = try folder.directory.open(path.name.description, [.readWrite, .createExclusive, .noFollow], mode: mode)
    } catch {
      throw error.code == Errno.exists ? sameName(path, in: folder) : makingFailure(error)
    }
    states.withLock { $0.made.insert(entry) }
    return file
  }

  /// Opens a file that this program made. Checks that it has no other name: a write must not change another file.
  private func openMade(_ name: String, in folder: OpenFolder) throws(PartFileError) -> File {
    let file: File
    do throws(Errno) { file = try folder.directory.open(name, [.readWrite, .noFollow, .nonBlocking]) } catch {
      throw failure(error)
    }
    let status: FileStatus
    do throws(Errno) { status = try file.status() } catch { throw failure(error) }
    if let what = FolderPart.foreignness(of: status) { throw .foreign(path: file.path, what: what) }
    return file
  }

  /// Returns why this program cannot have made a file in the tree. Nil if it can.
  /// - `userID`: the user of this process.
  static func foreignness(of status: FileStatus, _ userID: UInt32 = Environment.userID) -> String? {
    if status.kind != .regular { return "not a regular file" }
    if status.owner != userID { return "another user's file" }
    return status.linkCount > 1 ? "a file with another hard link" : nil
  }

  // MARK: Reading

  /// Opens an entry's file for reading. Nil if the file was not made. A file that is not open is opened for this caller
  /// only.
  func openToRead(_ entry: Int) throws(Errno) -> OpenPartFile? {
    if let open = files.value(for: entry) { return open }
    guard isMade(entry) else { return nil }
    let path = listing.path(of: entry)
    let length = listing.fileLength(of: entry)
    do throws(Errno) {
      let folder = try openFolder(path.parent)
      let file = try folder.directory.open(path.name.description, [.read, .noFollow, .nonBlocking])
      return OpenPartFile(file, length: length)
    } catch {
      // The file may have been moved to the existing output.
      guard error.code == Errno.noEntry, let output else { throw error }
      return OpenPartFile(try output.directory.open(beneath: path.description, [.read, .nonBlocking]), length: length)
    }
  }

  // MARK: Folders

  /// Opens a folder of the tree. A nil path is the tree itself.
  func openFolder(_ path: FolderPath?) throws(Errno) -> OpenFolder {
    guard let path else { return tree }
    return try folders.value(for: path) { () throws(Errno) in try tree.openFolder(path.description) }
  }

  /// As `openFolder`, but makes a missing folder. Folders are missing if only entries that are not wanted need them.
  func folder(_ path: FolderPath?) throws(PartFileError) -> OpenFolder {
    do throws(Errno) { return try openFolder(path) } catch {
      guard error.code == Errno.noEntry else { throw .io(error) }
    }
    guard let path else { return tree }
    let parent = try folder(path.parent)
    return try makingFolder.mutex.withLock { _ throws(PartFileError) in
      do throws(Errno) { return try openFolder(path) } catch {
        guard error.code == Errno.noEntry else { throw .io(error) }
      }
      return try makeFolder(path, in: parent)
    }
  }

  /// Makes a folder in another one. The caller holds `makingFolder`, or is the only thread.
  func makeFolder(_ path: FolderPath, in parent: OpenFolder) throws(PartFileError) -> OpenFolder {
    let name = path.name.description
    do throws(Errno) {
      try parent.directory.makeDirectory(name, mode: 0o777)
      return try parent.openFolder(name)
    } catch {
      throw error.code == Errno.exists ? sameName(path, in: parent) : makingFailure(error)
    }
  }

  // MARK: Names that are taken

  /// Returns the error for a name that is taken, though this program did not make it. Either another entry of the
  /// listing has the name on a file system that ignores case, or another program made it.
  func sameName(_ path: FolderPath, in folder: OpenFolder) -> PartFileError {
    let (directory, name) = ("\(folder.directory.path)/", path.name.description)
    let taken = try? folder.directory.status(of: name).identity
    // Compares with each neighbour once. Neighbours have the same parent.
    let depth = path.components.count
    var last: FolderPath?
    for entry in 0..<listing.count {
      let other = listing.path(of: entry)
      guard path.parent.map({ other.isBelow($0) }) ?? true else { continue }
      let neighbour = other.components[depth - 1]
      guard neighbour != last, neighbour != path.name else { continue }
      last = neighbour
      if let taken, (try? folder.directory.status(of: neighbour.description).identity) == taken {
        return .sameName(path: directory + name, other: directory + neighbour.description)
      }
    }
    return .foreign(path: directory + name, what: "not of this download")
  }
}
