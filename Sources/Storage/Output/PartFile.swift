// The unfinished output of a download. It has its full length from the start, and gets its name only when it is right.
import Content
import Posix
import Synchronization

/// Why a download cannot be written.
public enum PartFileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The folder is missing, cannot be written to, or is not a folder.
  case cannotCreate(Errno)
  /// The output exists already. It is replaced only if the user asked for that.
  case exists(path: String)
  /// A directory or device has the output's name. It is never replaced.
  case notAFile(path: String, what: String)
  /// Something has the name of a downloaded folder. It is never replaced.
  case occupied(path: String, isFolder: Bool)
  /// The file system treats two names in the folder as one, for example because it ignores case.
  case sameName(path: String, other: String)
  /// Another process, or another download of this process, writes the same part file.
  case running(path: String)
  /// Something that this program did not make has the part file's name.
  case foreign(path: String, what: String)
  /// `byteCount`: the length of the whole file. 0 where it does not matter.
  case diskFull(path: String, byteCount: UInt64)
  /// The disk has too little room for the whole file. This is checked before anything is fetched.
  case noRoom(path: String, byteCount: UInt64, freeBytes: UInt64)
  /// An existing folder cannot be updated to the wanted version.
  case update(FolderUpdateFault)
  /// The disk fails.
  case io(Errno)

  /// Makes the error for an output whose name is taken. Nil if the existing file may be replaced.
  public init?(taken path: String, by kind: FileKind, force: Bool) {
    switch kind {
    case .directory: self = .notAFile(path: path, what: "a folder")
    case .other: self = .notAFile(path: path, what: "a device, a pipe or a socket")
    case .regular, .symbolicLink:
      if force { return nil }
      self = .exists(path: path)
    }
  }

  public var description: String {
    switch self {
    case .cannotCreate(let errno): "cannot create the output: \(errno)"
    case .exists(let path): "\(path): exists already"
    case .notAFile(let path, let what): "\(path): is \(what), which is never replaced; choose another name"
    case .occupied(let path, _): "\(path): exists already"
    case .sameName(let path, let other):
      "\(path): this file system does not distinguish the name from \(other), another name in the folder"
    case .running(let path): "\(path): another download of this file is running in that folder"
    case .foreign(let path, let what): "\(path): is \(what); remove it or choose another folder"
    case .diskFull(let path, 0): "\(path): no room on the disk"
    case .diskFull(let path, let count): "\(path): no room on the disk for a file of \(count) bytes"
    case .noRoom(let path, let count, let free):
      "\(path): no room on the disk for a file of \(count) bytes: only \(free) are free"
    case .update(let fault): fault.description
    case .io(let errno): "cannot write the output: \(errno)"
    }
  }
}

/// A part file that only this process uses: `.<first 16 hex digits of the fileID>.p2p-part`, mode 0600.
///
/// Only verified bytes are written to it. `write` and `read` may run on several threads at once. `place` or `discard`
/// is called once, after the last `write`; without either the part file stays for a later `get`. `read` still works
/// after `place`.
public final class PartFile: Sendable {
  /// Each time this many bytes are written, the kernel is asked to begin writing to the disk, so that the last
  /// `fdatasync` finds little to do. The same amount of space is reserved then.
  static let stepBytes: UInt64 = 8 << 20

  public let length: UInt64
  let folder: Directory
  let name: String
  let journalName: String
  private let part: LockedPart
  private let bytesWritten = Atomic<UInt64>(0)
  /// The offset up to which space was reserved at the start.
  private let reservedEnd: UInt64
  let cannotReserve = Atomic<Bool>(false)
  private let writesBackEarly: Bool
  private let syncFailure = Mutex<PartFileError?>(nil)

  /// Returns the name of the part file for a fileID.
  public static func name(of fileID: FileID) -> String { ".\(fileID.hex.prefix(16)).p2p-part" }

  var file: File { _read { yield part.file } }
  /// Whether it may hold bytes of an earlier download.
  public var isResumed: Bool { part.isResumed }
  /// The path of the part file.
  public var path: String { file.path }

  /// Makes the part file, or takes over the one that an earlier `get` left. It has its full length from the start, and
  /// disk space for what it already holds and 64 MiB more. Throws if the disk has no room for the whole file.
  /// `writesBackEarly`: whether the output must be durable.
  public init(
    inFolder folderPath: String, fileID: FileID, length: UInt64, writesBackEarly: Bool = true
  ) throws(PartFileError) {
    let name = PartFile.name(of: fileID)
    do throws(Errno) { folder = try Directory(folderPath) } catch { throw .cannotCreate(error) }
    part = try LockedPart(name, in: folder)
    self.name = name
    journalName = JournalFile.name(of: fileID)
    self.length = length
    self.writesBackEarly = writesBackEarly
    do throws(PartFileError) {
      reservedEnd = try PartFile.prepare(part.file, length: length)
      try reserve(from: 0, count: reservedEnd)
    } catch {
      // The part file holds nothing yet, so nothing is lost.
      if !part.isResumed { try? folder.remove(name) }
      throw error
    }
  }

  /// Writes verified bytes: at most 64 KiB, and within the length.
  public func write(_ bytes: RawSpan, at offset: UInt64) throws(PartFileError) {
    let count = UInt64(bytes.byteCount)
    precondition(offset <= length && count <= length - offset, "a write lies within the file")
    do throws(Errno) { try file.write(bytes, at: offset) } catch { throw failure(error) }
    let (before, after) = bytesWritten.add(count, ordering: .relaxed)
    let step = after / PartFile.stepBytes
    guard before / PartFile.stepBytes != step else { return }
    // Only one thread gets here for each step. It reserves one more step of space.
    try reserve(from: reservedEnd + (step - 1) * PartFile.stepBytes, count: PartFile.stepBytes)
    // This is only a hint. If it fails, the data is written later.
    if writesBackEarly { try? file.startWriteBack() }
  }

  /// Reads bytes that were written, within the length.
  public func read(at offset: UInt64, into buffer: inout MutableRawSpan) throws(PartFileError) {
    try read(at: offset, count: buffer.byteCount, into: &buffer)
  }

  /// As `read(at:into:)`, for only the first `wanted` bytes of the span.
  public func read(at offset: UInt64, count wanted: Int, into buffer: inout MutableRawSpan) throws(PartFileError) {
    precondition(offset <= length && UInt64(wanted) <= length - offset, "a read lies within the file")
    let count: Int
    do throws(Errno) { count = try file.read(at: offset, count: wanted, into: &buffer) } catch { throw .io(error) }
    guard count == wanted else { throw .io(Errno(code: Errno.inputOutput, call: "pread", subject: path)) }
  }

  /// Waits until all written bytes are on the disk. A failure is final: every later call fails too, because a second
  /// `fdatasync` that succeeds does not prove that the disk has the bytes.
  public func syncData() throws(PartFileError) {
    if let failure = syncFailure.withLock({ $0 }) { throw failure }
    do throws(Errno) {
      try file.syncData()
    } catch {
      let failure = failure(error)
      syncFailure.withLock { $0 = failure }
      // The kernel's cache may differ from the disk. Drops it, so that a later `get` reads the disk.
      file.dropCache()
      throw failure
    }
  }

  func failure(_ errno: Errno) -> PartFileError {
    errno.isDiskFull ? .diskFull(path: path, byteCount: length) : .io(errno)
  }

  /// Gives the file its length. Returns the offset up to which the caller should reserve space before it writes.
  private static func prepare(_ file: borrowing File, length: UInt64) throws(PartFileError) -> UInt64 {
    do throws(Errno) {
      if try file.status().size > length { try file.truncate(to: length) }
    } catch {
      throw .io(error)
    }
    try checkRoom(file, length: length)
    do throws(Errno) {
      try file.truncate(to: length)
      return try reservedEnd(file, length: length)
    } catch {
      throw error.isDiskFull ? .diskFull(path: file.path, byteCount: length) : .io(error)
    }
  }
}
