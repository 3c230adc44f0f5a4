// The end of a part file: it gets its name in one step, or is kept, or is removed. The caller decides when.
import Posix

extension PartFile {
  /// Throws if the output cannot have its name. Call it before anything is downloaded; `place` checks again. With
  /// `force`, a file or a symbolic link of that name may be replaced, but never a folder or a device.
  public func checkPlace(_ name: String, force: Bool) throws(PartFileError) {
    let kind: FileKind
    do throws(Errno) {
      kind = try folder.status(of: name).kind
    } catch {
      if error.code == Errno.noEntry { return }
      throw .cannotCreate(error)
    }
    if let error = PartFileError(taken: folder.path(of: name), by: kind, force: force) { throw error }
  }

  /// Returns the path of an output with that name.
  public func outputPath(_ outputName: String) -> String { folder.path(of: outputName) }

  /// Gives the finished file its name and the mode of a new file. The name is one component, in the part file's own
  /// folder.
  ///
  /// Without `force`, an existing file is never replaced, even if it appears at the same moment. If it throws, the part
  /// file stays as it was.
  public func place(as outputName: String, force: Bool) throws(PartFileError) {
    precondition(!outputName.isEmpty && !outputName.utf8.contains(UInt8(ascii: "/")), "a name is one component")
    try checkPlace(outputName, force: force)
    do throws(Errno) { try file.setMode(0o666 & ~Environment.fileModeMask) } catch { throw failure(error) }
    do throws(Errno) {
      if force { try folder.rename(name, to: outputName) } else { try folder.place(name, as: outputName) }
    } catch {
      try? file.setMode(0o600)  // it is still a part file
      if error.code == Errno.exists && !force { throw .exists(path: folder.path(of: outputName)) }
      throw error.isDiskFull ? failure(error) : .cannotCreate(error)
    }
  }

  /// Removes the journal, if there is one. A failure is harmless.
  public func removeJournal() { try? folder.remove(journalName) }

  /// Returns the finished file under its final name. Reads work while no other program changes it.
  public func finished(as outputName: String) throws(StoredFileError) -> any CheckedOutput {
    let status: FileStatus
    do throws(Errno) { status = try file.status() } catch { throw StoredFileError(reading: error) }
    // Another file may have the name by now. The check then throws.
    return try CheckedFile(try output(outputName), as: status, called: folder.path(of: outputName))
  }

  private func output(_ name: String) throws(StoredFileError) -> File {
    do throws(Errno) { return try folder.open(name, [.read, .noFollow, .nonBlocking]) } catch {
      throw StoredFileError(reading: error)
    }
  }

  /// Frees the lock, so that another download may take over the part file. Nothing more is written; reads still work.
  public func release() { try? file.unlock() }

  /// Removes the part file and its journal, when they are useless to a later `get`.
  public func discard() throws(PartFileError) {
    removeJournal()
    do throws(Errno) { try folder.remove(name) } catch { throw .io(error) }
  }
}
