// The files of a part folder while they are written: each is made once, with its final mode, and never reached through a
// link.
import Content
import Posix
import Synchronization

/// An open file of a part folder.
final class OpenPartFile: Sendable {
  let file: File
  /// Bytes of the finished file.
  let length: UInt64
  /// Bytes written since it was opened.
  let bytesWritten = Atomic<UInt64>(0)
  /// Up to where it was reserved when it was opened; nil: nothing is reserved for it.
  let reservedEnd: UInt64?

  init(_ file: consuming File, length: UInt64, reservedEnd: UInt64? = nil) {
    self.file = file
    self.length = length
    self.reservedEnd = reservedEnd
  }
}

extension FolderPart {
  /// Whether a file has one leaf: then one piece writes it, and it does not stay open.
  func isSmall(_ entry: Int) -> Bool { listing.fileLength(of: entry) <= UInt64(cut.leafSize) }

  /// Whether a file has more than one chunk: then space is reserved for it.
  func isLarge(_ length: UInt64) -> Bool { length > UInt64(cut.chunkSize) }

  func isMade(_ entry: Int) -> Bool { states.withLock { $0.made.contains(entry) } }

  // MARK: To write

  /// The folder of the file that was written before: the next file often lies in the same one.
  struct NearFolder {
    var path: FolderPath?
    /// Nil: no file was written before.
    var folder: OpenFolder?
  }

  private func folder(_ path: FolderPath?, _ near: inout NearFolder) throws(PartFileError) -> OpenFolder {
    if let folder = near.folder, near.path == path { return folder }
    let folder = try folder(path)
    near = NearFolder(path: path, folder: folder)
    return folder
  }

  /// A file of several leaves, made if it is not there. It stays open.
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

  /// Makes a file in its folder. The caller holds the file's lock of `making`, or is alone.
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

  /// Opens a file that this program made. It has no other name: what is written to it changes nothing else.
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

  /// Why a file in the tree cannot be one that this program made; nil if it can.
  /// - `userID`: of this process.
  static func foreignness(of status: FileStatus, _ userID: UInt32 = Environment.userID) -> String? {
    if status.kind != .regular { return "not a regular file" }
    if status.owner != userID { return "another user's file" }
    return status.linkCount > 1 ? "also known by another name" : nil
  }

  // MARK: To read

  /// The file of an entry, to read; nil if it was not made. A file that is not open is opened for the caller alone.
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
      // An output that is there already may have got the file.
      guard error.code == Errno.noEntry, let output else { throw error }
      return OpenPartFile(try output.directory.open(beneath: path.description, [.read, .nonBlocking]), length: length)
    }
  }

  // MARK: Folders

  /// A folder of the tree; nil is the tree itself.
  func openFolder(_ path: FolderPath?) throws(Errno) -> OpenFolder {
    guard let path else { return tree }
    return try folders.value(for: path) { () throws(Errno) in try tree.openFolder(path.description) }
  }

  /// As `openFolder`. One that only entries need that are not wanted is made here.
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

  /// Makes a folder in another one. The caller holds `makingFolder`, or is alone.
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

  /// The error for a name that is taken although this program has not made it: by a name of the listing that differs, as
  /// on a file system that ignores case, or by another program.
  func sameName(_ path: FolderPath, in folder: OpenFolder) -> PartFileError {
    let (directory, name) = ("\(folder.directory.path)/", path.name.description)
    let taken = try? folder.directory.status(of: name).identity
    // Neighbours in the listing, each once: they have the same parent.
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
