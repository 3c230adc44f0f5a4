// An open served file. Every read is followed by a check that the file is still what was hashed.
import Content
import Posix
import Synchronization

/// Why a served file cannot be read.
public enum StoredFileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The file is not, or no longer, what was hashed. Withdraw its entry.
  case changed(path: String)
  /// The file is gone, or another file has its name. Withdraw its entry.
  case removed(path: String)
  /// The disk fails, or permission was taken away. Withdraw the entry.
  case unreadable(Errno)
  /// The process or the machine is short of descriptors or memory. A later try may succeed.
  case busy(Errno)

  public var description: String {
    switch self {
    case .changed(let path): "\(path): changed since it was hashed; it is no longer served"
    case .removed(let path): "\(path): was removed or replaced since it was hashed; it is no longer served"
    case .unreadable(let errno): "\(errno); it is no longer served"
    case .busy(let errno): errno.description
    }
  }
}

/// An open file. Every read is followed by a check that its status has not changed. Reads may run on several threads at
/// once.
public final class CheckedFile: Sendable {
  private let file: File
  private let expected: FileStatus
  /// The file's name in errors.
  private let name: String
  /// The file's absolute path when it was opened.
  private let path: String?

  /// Throws if the file does not have the status `expected`.
  init(_ file: consuming File, as expected: FileStatus, called name: String) throws(StoredFileError) {
    let status: FileStatus
    do throws(Errno) { status = try file.status() } catch { throw StoredFileError(reading: error) }
    path = try? file.currentPath()
    self.file = file
    self.expected = expected
    self.name = name
    try check(status)
  }

  public var length: UInt64 { expected.size }

  /// Fills the span with the file's bytes from `offset` on. The range must lie within the file. It should be at most 64
  /// KiB, so that the check comes shortly after the read. If it throws, the span's content is undefined.
  public func read(at offset: UInt64, into buffer: inout MutableRawSpan) throws(StoredFileError) {
    try read(at: offset, count: buffer.byteCount, into: &buffer)
  }

  /// As `read(at:into:)`, for only the first `wanted` bytes of the span.
  public func read(at offset: UInt64, count wanted: Int, into buffer: inout MutableRawSpan) throws(StoredFileError) {
    precondition(offset <= length && UInt64(wanted) <= length - offset, "a read lies within the file")
    let status: FileStatus
    let count: Int
    do throws(Errno) {
      count = try file.read(at: offset, count: wanted, into: &buffer)
      status = try file.status()
    } catch {
      throw StoredFileError(reading: error)
    }
    try check(status)
    // The file was cut and grown again within one tick of the file system's clock.
    guard count == wanted else { throw .changed(path: name) }
  }

  private func check(_ status: FileStatus) throws(StoredFileError) {
    if status.linkCount > 0, status.sameContentButAttributes(as: expected) { return }
    // A rename changes only the time of change. The folder's watcher reports the new name.
    if status.linkCount > 0, status.sameBytes(as: expected), isRenamed { return }
    throw status.linkCount == 0 ? .removed(path: name) : .changed(path: name)
  }

  private var isRenamed: Bool {
    guard let path, let now = try? file.currentPath() else { return false }
    return path != now
  }
}

extension StoredFileError {
  init(opening errno: Errno, path: String) {
    switch errno.code {
    case Errno.noEntry, Errno.notFolder: self = .removed(path: path)
    case Errno.symbolicLink, Errno.leavesFolder: self = .changed(path: path)
    default: self.init(reading: errno)
    }
  }

  init(reading errno: Errno) { self = errno.isShortage ? .busy(errno) : .unreadable(errno) }
}

/// An open served file. Reads may run on several threads at once.
public final class StoredFile: Sendable {
  public let entry: CatalogueEntry
  private let file: CheckedFile

  init(_ entry: CatalogueEntry, in folder: ServedFolder) throws(StoredFileError) {
    self.entry = entry
    file = try CheckedFile(try StoredFile.open(entry, in: folder), as: entry.status, called: entry.path)
  }

  private static func open(_ entry: CatalogueEntry, in folder: ServedFolder) throws(StoredFileError) -> File {
    do throws(Errno) { return try folder.open(entry.path) } catch {
      throw StoredFileError(opening: error, path: entry.path)
    }
  }

  /// As `CheckedFile.read`, for only the first `wanted` bytes of the span.
  func read(at offset: UInt64, count wanted: Int, into buffer: inout MutableRawSpan) throws(StoredFileError) {
    try file.read(at: offset, count: wanted, into: &buffer)
  }

  /// As `CheckedFile.read`.
  public func read(at offset: UInt64, into buffer: inout MutableRawSpan) throws(StoredFileError) {
    try file.read(at: offset, into: &buffer)
  }
}

/// The served files that are open now: one descriptor for each file, shared by all readers. Their number is bounded.
final class OpenFiles: Sendable {
  /// The most files to keep open when the limit of descriptors is high.
  private static let countMaxStandard = 256

  /// The most files that a process keeps open: at most an eighth of its descriptors, since the rest are for
  /// connections.
  static var countMax: Int { min(countMaxStandard, max(1, OpenFileLimit.current / 8)) }

  private let folder: ServedFolder
  private let countMax = OpenFiles.countMax

  private struct State {
    var files: [CatalogueEntry: (file: StoredFile, lastUse: UInt64)] = [:]
    var useCount: UInt64 = 0

    mutating func closeOldest() {
      guard let oldest = files.min(by: { $0.value.lastUse < $1.value.lastUse }) else { return }
      files[oldest.key] = nil
    }
  }
  private let state = Mutex(State())

  init(_ folder: ServedFolder) { self.folder = folder }

  /// The number of files kept open.
  var count: Int { state.withLock { $0.files.count } }

  func open(_ entry: CatalogueEntry) throws(StoredFileError) -> StoredFile {
    if let file = use(entry) { return file }
    let file: StoredFile
    do throws(StoredFileError) {
      file = try StoredFile(entry, in: folder)
    } catch {
      guard case .busy = error else { throw error }
      // No descriptor is left. Closes the older half of the files: they only wait for a next read.
      state.withLock { state in for _ in 0..<(state.files.count + 1) / 2 { state.closeOldest() } }
      file = try StoredFile(entry, in: folder)
    }
    return keep(file)
  }

  func close(_ entry: CatalogueEntry) { state.withLock { $0.files[entry] = nil } }

  func closeAll() { state.withLock { $0.files = [:] } }

  private func use(_ entry: CatalogueEntry) -> StoredFile? {
    state.withLock { state in
      state.useCount += 1
      state.files[entry]?.lastUse = state.useCount
      return state.files[entry]?.file
    }
  }

  /// Keeps a file open and returns it. If another thread opened the same file first, returns that one.
  private func keep(_ file: StoredFile) -> StoredFile {
    state.withLock { state in
      let key = file.entry
      if let other = state.files[key]?.file { return other }
      if state.files.count >= countMax { state.closeOldest() }
      state.useCount += 1
      state.files[key] = (file, state.useCount)
      return file
    }
  }
}
