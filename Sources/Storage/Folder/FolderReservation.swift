// The disk space of a part folder: small files take it as they are written, large ones a little ahead.
import Content
import Posix
import Synchronization

/// How much is reserved for the large files of a folder.
struct FolderReservation {
  /// Whether the file system is known to reserve space, or may do so.
  var isPossible = true
  private var bytesReserved: UInt64 = 0
  private var bytesWritten: UInt64 = 0

  mutating func wrote(_ count: Int) { bytesWritten += UInt64(count) }

  /// Counts bytes that are about to be reserved: as many as are asked for, or as the bound on all files leaves. A listing
  /// of many large files may come from a stranger.
  mutating func take(_ count: UInt64) -> UInt64 {
    guard isPossible else { return 0 }
    let limit = bytesWritten + PartFile.reservedAheadBytes
    let taken = min(count, limit - min(limit, bytesReserved))
    bytesReserved += taken
    return taken
  }
}

extension FolderPart {
  /// Throws if what is missing of the wanted files does not fit on the disk. Passes if the file system does not know how
  /// much room it has.
  /// - `length`: of the wanted files.
  /// - `present`: bytes that the disk holds of them already.
  func checkRoom(length: UInt64, present: UInt64) throws(PartFileError) {
    let free: UInt64?
    do throws(Errno) { free = try part.folder.freeByteCount() } catch { throw .io(error) }
    guard let free, length > free, length - free > present else { return }
    throw .noRoom(path: path, byteCount: length, freeBytes: free)
  }

  /// Reserves space for a large file that was just opened. Returns up to where.
  func reserveStart(of file: borrowing File, length: UInt64) throws(PartFileError) -> UInt64 {
    let start: UInt64
    do throws(Errno) {
      // What an earlier download wrote after a hole does not count.
      let run = try file.nextData(from: 0)
      start = min(run.map { $0.lowerBound == 0 ? $0.upperBound : 0 } ?? 0, try file.allocatedByteCount())
    } catch {
      throw .io(error)
    }
    try reserve(file, from: start, length: length)
    return start + FolderPart.reservedStepBytes
  }

  /// Counts bytes that were written to a file of several leaves, and reserves what follows on what was reserved for the
  /// step before. The kernel is asked to begin writing to the disk, so that the next sync finds little to do: at each
  /// step, or once a file without steps has all its bytes. That is a hint only: where it is not possible, the data is
  /// written later. A file of one leaf is not worth the call.
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
