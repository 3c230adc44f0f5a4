// The end of a part file: it gets its name at once and never over another file, or it is kept, or removed. When each of
// this may be done is decided elsewhere.
import Posix

extension PartFile {
  /// Throws if the output cannot have its name: to be asked before anything is downloaded. `place` asks again. With
  /// `force` a file or a symbolic link of that name may be replaced; a folder or a device never.
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

  /// Where an output of that name is.
  public func outputPath(_ outputName: String) -> String { folder.path(of: outputName) }

  /// Gives the finished file its name, one component in the part file's own folder, and the mode of an ordinary new file.
  ///
  /// Without `force` a file of that name is never replaced, not even one that appears at the same moment. When it throws,
  /// the part file stays what it was.
  public func place(as outputName: String, force: Bool) throws(PartFileError) {
    precondition(!outputName.isEmpty && !outputName.utf8.contains(UInt8(ascii: "/")), "a name is one component")
    try checkPlace(outputName, force: force)
    do throws(Errno) { try file.setMode(0o666 & ~Environment.fileModeMask) } catch { throw failure(error) }
    do throws(Errno) {
      if force { try folder.rename(name, to: outputName) } else { try folder.place(name, as: outputName) }
    } catch {
      try? file.setMode(0o600)  // still a part file
      if error.code == Errno.exists && !force { throw .exists(path: folder.path(of: outputName)) }
      throw error.isDiskFull ? failure(error) : .cannotCreate(error)
    }
  }

  /// Removes the journal, if there is one. Where that fails it is harmless.
  public func removeJournal() { try? folder.remove(journalName) }

  /// The finished file under the name that it got, to be read on for as long as nobody changes it.
  public func finished(as outputName: String) throws(StoredFileError) -> any CheckedOutput {
    let status: FileStatus
    do throws(Errno) { status = try file.status() } catch { throw StoredFileError(reading: error) }
    // Another may have got the name meanwhile.
    return try CheckedFile(try output(outputName), as: status, called: folder.path(of: outputName))
  }

  private func output(_ name: String) throws(StoredFileError) -> File {
    do throws(Errno) { return try folder.open(name, [.read, .noFollow, .nonBlocking]) } catch {
      throw StoredFileError(reading: error)
    }
  }

  /// Lets another download take the part file over. Nothing is written any more; threads that read it may go on.
  public func release() { try? file.unlock() }

  /// Removes the part file and its journal: nothing in them is worth a later `get`.
  public func discard() throws(PartFileError) {
    removeJournal()
    do throws(Errno) { try folder.remove(name) } catch { throw .io(error) }
  }
}
