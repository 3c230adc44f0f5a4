// Reads small files. Each is opened through its folder, which stays open, read once, and closed.
import Content
import Posix
import Synchronization

/// The folders of the files that were read last, kept open. Opening a file in one of them looks up only one name.
final class ParentFolders: Sendable {
  /// A getter reads files in the order of a listing, folder by folder. Each connection may be in another folder.
  static let countMax = 16

  private final class OpenFolder: Sendable {
    let directory: Directory
    init(_ directory: consuming Directory) { self.directory = directory }
  }

  private struct State {
    var folders: [BytePath: (folder: OpenFolder, lastUse: UInt64)] = [:]
    var useCount: UInt64 = 0
  }
  private let state = Mutex(State())
  private let folder: ServedFolder

  init(_ folder: ServedFolder) { self.folder = folder }

  /// Opens a file of the served folder for reading. The path may name another file by now: the caller checks the opened
  /// file's status.
  func open(_ path: String) throws(Errno) -> File {
    let parts = PathParts(path)
    if let parent = known(parts.folder) {
      do throws(Errno) { return try folder.open(parts.name, in: parent.directory) } catch {
        // Another folder may have this path now.
        guard error.code == Errno.noEntry else { throw error }
        state.withLock { $0.folders[BytePath(parts.folder)] = nil }
      }
    }
    let parent = OpenFolder(try folder.directory.openDirectory(beneath: parts.folder))
    keep(parent, parts.folder)
    return try folder.open(parts.name, in: parent.directory)
  }

  private func known(_ path: String) -> OpenFolder? {
    state.withLock { state in
      guard let place = state.folders.index(forKey: BytePath(path)) else { return nil }
      state.useCount += 1
      state.folders.values[place].lastUse = state.useCount
      return state.folders.values[place].folder
    }
  }

  private func keep(_ folder: OpenFolder, _ path: String) {
    state.withLock { state in
      if state.folders.count >= ParentFolders.countMax,
        let oldest = state.folders.min(by: { $0.value.lastUse < $1.value.lastUse })
      {
        state.folders[oldest.key] = nil
      }
      state.useCount += 1
      state.folders[BytePath(path)] = (folder, state.useCount)
    }
  }

  /// Closes all of them, because another file needs a descriptor.
  func closeAll() { state.withLock { $0.folders = [:] } }
}

extension Catalogue {
  /// A file up to this size is opened for each read.
  private static let openedOnceBytesMax: UInt64 = 1 << 16

  /// Reads leaves of one chunk of an entry's file, from `offset` on, into the first `count` bytes of a span (64 KiB at
  /// most).
  public func read(
    _ entry: CatalogueEntry, at offset: UInt64, count: Int, into buffer: inout MutableRawSpan
  ) throws(StoredFileError) {
    if entry.length <= Catalogue.openedOnceBytesMax {
      try readOnce(entry, at: offset, count: count, into: &buffer)
    } else {
      try open(entry).read(at: offset, count: count, into: &buffer)
    }
    try checkYoung(entry, at: offset, buffer.bytes.extracting(first: count))
  }

  private func readOnce(
    _ entry: CatalogueEntry, at offset: UInt64, count: Int, into buffer: inout MutableRawSpan
  ) throws(StoredFileError) {
    precondition(offset <= entry.length && UInt64(count) <= entry.length - offset, "a read lies within the file")
    let file: File
    do throws(Errno) { file = try parents.open(entry.path) } catch {
      let failure = StoredFileError(opening: error, path: entry.path)
      if case .busy = failure { parents.closeAll() }
      throw failure
    }
    let status: FileStatus
    let readCount: Int
    do throws(Errno) {
      readCount = try file.read(at: offset, count: count, into: &buffer)
      status = try file.status()
    } catch {
      throw StoredFileError(reading: error)
    }
    guard status.linkCount > 0, status.sameContentButAttributes(as: entry.status), readCount == count else {
      throw status.linkCount == 0 || status.identity != entry.status.identity
        ? .removed(path: entry.path) : .changed(path: entry.path)
    }
  }
}
