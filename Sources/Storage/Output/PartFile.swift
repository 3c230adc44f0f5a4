// The unfinished output of a download: it has the right length from the start, and its name only when it is right.
import Content
import Posix
import Synchronization

/// Why a download cannot be written.
public enum PartFileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The folder is missing, cannot be written to, or is none.
  case cannotCreate(Errno)
  /// The output is there already; it is only replaced when that was asked for.
  case exists(path: String)
  /// What has the output's name is no file, and is never replaced.
  case notAFile(path: String, what: String)
  /// What has the name of a folder that is downloaded; it is never replaced.
  case occupied(path: String, isFolder: Bool)
  /// The file system takes two names of a folder for one, as if case did not matter.
  case sameName(path: String, other: String)
  /// Another process, or another download of this one, writes the same part file.
  case running(path: String)
  /// Something that this program did not make is where the part file should be.
  case foreign(path: String, what: String)
  /// `byteCount`: what the file is to have; 0 where that does not matter.
  case diskFull(path: String, byteCount: UInt64)
  /// The disk has too little room for the whole file, which is known before anything is fetched.
  case noRoom(path: String, byteCount: UInt64, freeBytes: UInt64)
  /// A folder that is there already cannot be brought to the wanted version.
  case update(FolderUpdateFault)
  /// The disk fails.
  case io(Errno)

  /// What is wrong with an output whose name is taken; nil where it may be replaced.
  public init?(taken path: String, by kind: FileKind, force: Bool) {
    switch kind {
    case .directory: self = .notAFile(path: path, what: "a folder")
    case .other: self = .notAFile(path: path, what: "no file but a device, a pipe or a socket")
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
      "\(path): this file system takes the name for that of \(other), which is another one in the folder"
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

/// A part file that this process holds alone: `.<first 16 hex digits of the fileID>.p2p-part`, mode 0600.
///
/// Only verified bytes are written to it. `write` and `read` may run on several threads at once; `place` and `discard`
/// come once, after the last `write`. Without either it stays for a later `get`. `read` goes on after `place`.
public final class PartFile: Sendable {
  /// Bytes after which the kernel is asked to begin writing to the disk, so that the last `fdatasync` finds little to do;
  /// and as many more are reserved.
  static let stepBytes: UInt64 = 8 << 20

  public let length: UInt64
  let folder: Directory
  let name: String
  let journalName: String
  private let part: LockedPart
  private let bytesWritten = Atomic<UInt64>(0)
  /// Where the file ends that was reserved at the start.
  private let reservedEnd: UInt64
  let cannotReserve = Atomic<Bool>(false)
  private let writesBackEarly: Bool
  private let syncFailure = Mutex<PartFileError?>(nil)

  /// How the part file of a fileID is called.
  public static func name(of fileID: FileID) -> String { ".\(fileID.hex.prefix(16)).p2p-part" }

  var file: File { _read { yield part.file } }
  /// Whether bytes of an earlier download may be in it.
  public var isResumed: Bool { part.isResumed }
  /// Where it is.
  public var path: String { file.path }

  /// Creates the part file in a folder, or takes over the one that an earlier `get` left. It has its length from the start,
  /// and disk space for what is there already and 64 MiB more; throws if the disk has no room for all of it.
  /// `writesBackEarly` is for output that must be durable.
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
      // It holds nothing yet, so nothing is lost.
      if !part.isResumed { try? folder.remove(name) }
      throw error
    }
  }

  /// Writes verified bytes, at most 64 KiB, which must lie within the length.
  public func write(_ bytes: RawSpan, at offset: UInt64) throws(PartFileError) {
    let count = UInt64(bytes.byteCount)
    precondition(offset <= length && count <= length - offset, "a write lies within the file")
    do throws(Errno) { try file.write(bytes, at: offset) } catch { throw failure(error) }
    let (before, after) = bytesWritten.add(count, ordering: .relaxed)
    let step = after / PartFile.stepBytes
    guard before / PartFile.stepBytes != step else { return }
    // One thread comes here for each step, and reserves what follows on what was reserved for the step before.
    try reserve(from: reservedEnd + (step - 1) * PartFile.stepBytes, count: PartFile.stepBytes)
    // A hint only: where it is not possible, the data is written later.
    if writesBackEarly { try? file.startWriteBack() }
  }

  /// Reads back bytes that were written, within the length.
  public func read(at offset: UInt64, into buffer: inout MutableRawSpan) throws(PartFileError) {
    try read(at: offset, count: buffer.byteCount, into: &buffer)
  }

  /// As `read(at:into:)`, of only the first `wanted` bytes of the span.
  public func read(at offset: UInt64, count wanted: Int, into buffer: inout MutableRawSpan) throws(PartFileError) {
    precondition(offset <= length && UInt64(wanted) <= length - offset, "a read lies within the file")
    let count: Int
    do throws(Errno) { count = try file.read(at: offset, count: wanted, into: &buffer) } catch { throw .io(error) }
    guard count == wanted else { throw .io(Errno(code: Errno.inputOutput, call: "pread", subject: path)) }
  }

  /// Waits until what was written is on the disk. A failure is final, and every later call fails likewise: what the disk
  /// holds is unknown, and a second `fdatasync` that succeeds proves nothing.
  public func syncData() throws(PartFileError) {
    if let failure = syncFailure.withLock({ $0 }) { throw failure }
    do throws(Errno) {
      try file.syncData()
    } catch {
      let failure = failure(error)
      syncFailure.withLock { $0 = failure }
      // What the kernel still has in memory is not what the disk has: a later `get` shall see the disk.
      file.dropCache()
      throw failure
    }
  }

  func failure(_ errno: Errno) -> PartFileError {
    errno.isDiskFull ? .diskFull(path: path, byteCount: length) : .io(errno)
  }

  /// Gives the file its length. Returns up to which byte the caller reserves space before it writes.
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
