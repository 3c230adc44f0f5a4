// Reserves the disk space of a part folder. Small files take space as they are written, large files a little ahead.
import Content
import Posix
import Synchronization

/// The space reserved for the large files of a folder.
struct FolderReservation {
  /// Whether the file system can reserve space, as far as is known.
  var isPossible = true
  private var bytesReserved: UInt64 = 0
  private var bytesWritten: UInt64 = 0

  mutating func wrote(_ count: Int) { bytesWritten += UInt64(count) }

  /// Counts bytes that are about to be reserved, and returns how many may be: `count`, or less if the bound on all
  /// files is reached. A stranger may send a listing of many large files.
  mutating func take(_ count: UInt64) -> UInt64 {
    guard isPossible else { return 0 }
    let limit = bytesWritten + PartFile.reservedAheadBytes
    let taken = min(count, limit - min(limit, bytesReserved))
    bytesReserved += taken
    return taken
  }
}

extension FolderPart {
  /// Throws if the missing bytes of the wanted files do not fit on the disk. Does nothing if the file system does not
  /// report its free space.
  /// - `length`: the bytes of the wanted files.
  /// - `present`: how many of them the disk already holds.
  func checkRoom(length: UInt64, present: UInt64) throws(PartFileError) {
    let free: UInt64?
    do throws(Errno) { free = try part.folder.freeByteCount() } catch { throw .io(error) }
    guard let free, length > free, length - free > present else { return }
    throw .noRoom(path: path, byteCount: length, freeBytes: free)
  }

  /// Reserves space for a large file that was just opened. Returns the end of the reserved space.
  func reserveStart(of file: borrowing File, length: UInt64) throws(PartFileError) -> UInt64 {
    let start: UInt64
    do throws(Errno) {
      // Data that an earlier download wrote after a hole does not count.
      let run = try file.nextData(from: 0)
      start = min(run.map { $0.lowerBound == 0 ? $0.upperBound : 0 } ?? 0, try file.allocatedByteCount())
    } catch {
      throw .io(error)
    }
    try reserve(file, from: start, length: length)
    return start + FolderPart.reservedStepBytes
  }

  /// Counts bytes written to a file of several leaves. At each step of a large file, reserves one more step of space
  /// and asks the kernel to begin writing to the disk, so that the next sync finds little to do. A file without steps
  /// gets that request when all its bytes are written. The request is only a hint, and its failure is harmless. It is
  /// not worth a call for a file of one leaf.
  func wrote(_ count: Int, to open: OpenPartFile) throws(PartFileError) {
    let (before, after) = open.bytesWritten.add(UInt64(count), ordering: .relaxed)
    guard let reservedEnd = open.reservedEnd else {
      if after >= open.length, before < open.length { try? open.file.startWriteBack() }
      return
    }
    reservation.withLock { $0.wrote(count) }
    let step = after / FolderPart.reservedStepBytes
    guard before / FolderPart.reservedStepBytes != step else { return }
    try reserve(open.file, from: reservedEnd + (step - 1) * FolderPart.reservedStepBytes, length: open.length)
    try? open.file.startWriteBack()
  }

  private func reserve(_ file: borrowing File, from start: UInt64, length: UInt64) throws(PartFileError) {
    guard start < length else { return }
    let count = reservation.withLock { $0.take(min(FolderPart.reservedStepBytes, length - start)) }
    guard count > 0 else { return }
    do throws(Errno) { try file.allocate(from: start, count: count) } catch {
      guard [Errno.notSupported, Errno.notImplemented, Errno.invalid].contains(error.code) else {
        throw failure(error)
      }
      reservation.withLock { $0.isPossible = false }
    }
  }
}
