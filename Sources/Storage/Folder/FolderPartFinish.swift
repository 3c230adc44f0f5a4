// The end of a part folder: the tree gets the output's name in one step, or the part is kept, or it is removed.
import Content
import Posix

extension FolderPart {
  /// Checks the output's name, as `PartStorage` says. A folder never replaces anything, so `force` changes nothing.
  public func checkPlace(_ name: String, force: Bool = false) throws(PartFileError) {
    let kind: FileKind
    do throws(Errno) {
      kind = try part.parent.status(of: name).kind
    } catch {
      if error.code == Errno.noEntry { return }
      throw .cannotCreate(error)
    }
    throw .occupied(path: outputPath(name), isFolder: kind == .directory)
  }

  public func outputPath(_ outputName: String) -> String { part.parent.path(of: outputName) }

  /// Completes the tree, waits until it is on the disk, and gives it its name. All wanted bytes must be written; what
  /// is not wanted is removed. If it throws, the part stays and `place` may be called again.
  public func place(as outputName: String, force: Bool = false) throws(PartFileError) {
    try place(as: outputName, refusing: true)
  }

  /// - `refusing`: whether to use the system call that refuses a taken name.
  func place(as outputName: String, refusing: Bool) throws(PartFileError) {
    precondition(!outputName.isEmpty && !outputName.utf8.contains(UInt8(ascii: "/")), "a name is one component")
    try checkPlace(outputName)
    try completeTree()
    try noteCompletion()
    try syncData()
    do throws(Errno) { try moveTree(to: outputName, refusing: refusing) } catch {
      if error.code == Errno.exists || error.code == Errno.notEmpty { try checkPlace(outputName) }
      throw makingFailure(error)
    }
    hasPlace.store(true, ordering: .releasing)
    do throws(Errno) { try part.parent.sync() } catch { throw .io(error) }
  }

  /// Makes the empty files and the links, and removes what is not wanted.
  func completeTree() throws(PartFileError) {
    try walk(.placing)
    try makeLinks()
  }

  /// Stores a time after the last change of the files, from the file system's clock.
  func noteCompletion() throws(PartFileError) {
    do throws(Errno) {
      try part.lock.file.write([0].span.bytes, at: 0)
      let now = try part.lock.file.status().changed
      completed.withLock { $0 = now }
    } catch {
      throw failure(error)
    }
  }

  private func moveTree(to name: String, refusing: Bool) throws(Errno) {
    if refusing {
      do throws(Errno) {
        return try part.folder.moveWithoutReplacing(PartFolderName.tree, to: name, in: part.parent)
      } catch {
        guard error.code == Errno.invalid || error.code == Errno.notImplemented else { throw error }
      }
    }
    // Makes an empty folder with the name. The tree replaces it while it is still empty.
    try part.parent.makeDirectory(name, mode: 0o700)
    do throws(Errno) { try part.folder.move(PartFolderName.tree, to: name, in: part.parent) } catch {
      try? part.parent.removeDirectory(name)
      throw error
    }
  }

  /// Makes the links of the tree. After that, nothing below the tree is opened through a link.
  private func makeLinks() throws(PartFileError) {
    for entry in 0..<listing.count where isWanted(entry) {
      guard let target = listing.linkTarget(of: entry) else { continue }
      let path = listing.path(of: entry)
      let folder = try folder(path.parent)
      let name = path.name.description
      do throws(Errno) {
        // An earlier download may have made the link.
        if isMade(entry) {
          if try folder.directory.target(ofLink: name) == target.utf8 { continue }
          try folder.directory.remove(name)
        }
        try folder.directory.makeSymbolicLink(name, to: target.description)
        if !syncsFileSystem { try folder.directory.sync() }
      } catch {
        throw error.code == Errno.exists ? sameName(path, in: folder) : makingFailure(error)
      }
      states.withLock { $0.made.insert(entry) }
    }
  }

  /// Before `place`, removes the journal. After `place`, removes the rest of the part and frees its lock.
  public func removeJournal() {
    try? part.folder.remove(PartFolderName.journal)
    if hasPlace.load(ordering: .acquiring) { FolderPart.removeRest(of: part) }
  }

  /// Removes what lies beside the tree. A failure is harmless.
  private static func removeRest(of part: borrowing LockedPartFolder) {
    let names = [
      PartFolderName.probe, PartFolderName.listing, PartFolderName.suggestion, PartFolderName.output,
      PartFolderName.suggestionDraft, PartFolderName.outputDraft, PartFolderName.journal,
      PartFolderName.lock,
    ]
    for name in names {
      try? part.folder.remove(name)
    }
    try? part.parent.removeDirectory(part.name)
  }

  public func release() { try? part.lock.file.unlock() }

  /// Removes the part folder and everything that this program made in it. Follows no link.
  public func discard() throws(PartFileError) {
    try walk(.removing)
    folders.removeAll()
    files.removeAll()
    try? part.folder.removeDirectory(PartFolderName.tree)
    FolderPart.removeRest(of: part)
    do throws(Errno) { _ = try part.parent.status(of: part.name) } catch {
      if error.code == Errno.noEntry { return }
      throw .io(error)
    }
    throw .foreign(path: path, what: "a folder with names that are not of this download")
  }

  /// Removes the rest of a download that ended just after its output got its name. An unfinished output stays, and so
  /// does a part folder of another process or user.
  public static func removeLeftovers(of folderID: FileID, inFolder folderPath: String) {
    let name = name(of: folderID)
    guard let parent = try? Directory(folderPath), (try? parent.status(of: name)) != nil,
      let part = try? LockedPartFolder(name, in: parent)
    else { return }
    do throws(Errno) { _ = try part.folder.status(of: PartFolderName.tree) } catch {
      if error.code == Errno.noEntry { removeRest(of: part) }
    }
  }
}
