// Reads a finished folder. Every read is followed by a check that the file is still what was written.
import Content
import Posix

/// The files of a folder's output, addressed by their offsets in the contents. Reads may run on several threads at
/// once.
///
/// It keeps no state for each file. A file counts as unchanged if its length is right and its time of change is not
/// later than the completion of the output.
public final class CheckedFolder: CheckedOutput {
  private let layout: FolderLayout
  private let cut: ChunkLayout
  private let tree: OpenFolder
  private let folders = DescriptorCache<FolderPath, OpenFolder>(countMax: FolderPart.openFoldersMax)
  private let files = DescriptorCache<Int, OpenPartFile>(countMax: FolderPart.openFilesMax)
  /// When the output was complete, on the file system's clock.
  private let completed: FileTime

  init(_ layout: FolderLayout, tree: OpenFolder, completed: FileTime) {
    self.layout = layout
    cut = ChunkLayout(layout)
    self.tree = tree
    self.completed = completed
  }

  /// Reads as `CheckedOutput` says. If it throws, the span's content is undefined.
  public func read(at offset: UInt64, count wanted: Int, into buffer: inout MutableRawSpan) throws(StoredFileError) {
    var start = 0
    for run in layout.runs(at: offset, count: wanted) {
      try read(run, into: &buffer, from: start)
      start += run.count
    }
  }

  private func read(
    _ run: FolderRun, into buffer: inout MutableRawSpan, from place: Int
  ) throws(StoredFileError) {
    let (count, status, path): (Int, FileStatus, String)
    do throws(Errno) {
      let open = try open(run.entry)
      path = open.file.path
      count = try open.file.read(at: run.offset, count: run.count, into: &buffer, from: place)
      status = try open.file.status()
    } catch {
      switch error.code {
      case Errno.noEntry, Errno.notFolder: throw .removed(path: error.subject)
      case Errno.symbolicLink: throw .changed(path: error.subject)
      default: throw StoredFileError(reading: error)
      }
    }
    if status.linkCount == 0 { throw .removed(path: path) }
    guard status.kind == .regular, status.size == layout.listing.fileLength(of: run.entry),
      status.changed <= completed, count == run.count
    else { throw .changed(path: path) }
  }

  private func open(_ entry: Int) throws(Errno) -> OpenPartFile {
    let length = layout.listing.fileLength(of: entry)
    guard length > UInt64(cut.leafSize) else { return try openOnce(entry, length) }
    return try files.value(for: entry) { () throws(Errno) in try openOnce(entry, length) }
  }

  private func openOnce(_ entry: Int, _ length: UInt64) throws(Errno) -> OpenPartFile {
    let path = layout.listing.path(of: entry)
    var folder = tree
    if let parent = path.parent {
      folder = try folders.value(for: parent) { () throws(Errno) in try tree.openFolder(parent.description) }
    }
    return OpenPartFile(
      try folder.directory.open(path.name.description, [.read, .noFollow, .nonBlocking]), length: length)
  }
}

extension FolderPart {
  /// Returns the output after `place`. Its files were last changed before `place` returned.
  public func finished(as outputName: String) throws(StoredFileError) -> any CheckedOutput {
    guard let completed = completed.withLock({ $0 }) else {
      preconditionFailure("only an output that has its name is finished")
    }
    // Opens the tree again, so that errors show the new name.
    do throws(Errno) {
      let tree = try part.parent.openDirectory(beneath: outputName)
      guard try tree.status().identity == self.tree.directory.status().identity else {
        throw Errno(code: Errno.noEntry, call: "openat2", subject: outputPath(outputName))
      }
      return CheckedFolder(layout, tree: OpenFolder(tree), completed: completed)
    } catch {
      throw error.code == Errno.noEntry ? .removed(path: error.subject) : StoredFileError(reading: error)
    }
  }
}
