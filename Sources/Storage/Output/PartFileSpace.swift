// Reserves the disk space of a part file. The length comes from the fileID alone until data arrives, and a stranger may
// have given the fileID. So a length that does not fit is refused at once, and space is reserved only a little ahead.
import Posix

extension PartFile {
  /// The space reserved beyond the written bytes. A download that runs while the disk fills up may still use this much.
  static let reservedAheadBytes: UInt64 = 64 << 20

  /// Throws if the rest of the file does not fit on the disk. Bytes that it already holds count as present. Does
  /// nothing if the file system does not report its free space.
  static func checkRoom(_ file: borrowing File, length: UInt64) throws(PartFileError) {
    let missing: UInt64
    do throws(Errno) {
      guard let free = try file.freeByteCount(), length > free else { return }
      missing = length - free
      if missing <= (try file.allocatedByteCount()) { return }
      // A compressing file system allocates less than the bytes that an earlier download wrote.
      if missing <= (try dataByteCount(file)) { return }
    } catch {
      throw .io(error)
    }
    throw .noRoom(path: file.path, byteCount: length, freeBytes: length - missing)
  }

  /// Returns the offset up to which the caller should reserve space before it writes: 64 MiB beyond what an earlier
  /// download wrote there. Data after a hole does not count, so that each resume does not reserve more than the one
  /// before.
  static func reservedEnd(_ file: borrowing File, length: UInt64) throws(Errno) -> UInt64 {
    // A file system without holes reports data for the whole file.
    let run = try file.nextData(from: 0)
    let written = run.map { $0.lowerBound == 0 ? $0.upperBound : 0 } ?? 0
    return min(length, min(written, try file.allocatedByteCount()) + reservedAheadBytes)
  }

  /// Returns the bytes of a file that are not in holes.
  private static func dataByteCount(_ file: borrowing File) throws(Errno) -> UInt64 {
    var (count, offset): (UInt64, UInt64) = (0, 0)
    while let run = try file.nextData(from: offset) {
      guard run.upperBound > run.lowerBound else { break }
      count += UInt64(run.count)
      offset = run.upperBound
    }
    return count
  }

  /// Whether the file system can reserve space, as far as is known.
  var canReserve: Bool { !cannotReserve.load(ordering: .relaxed) }

  /// Reserves a range of the file, up to the file's end. If the file system cannot reserve, no later call tries again.
  func reserve(from start: UInt64, count: UInt64) throws(PartFileError) {
    guard start < length, canReserve else { return }
    do throws(Errno) {
      try file.allocate(from: start, count: min(count, length - start))
    } catch {
      guard [Errno.notSupported, Errno.notImplemented, Errno.invalid].contains(error.code) else {
        throw failure(error)
      }
      cannotReserve.store(true, ordering: .relaxed)
    }
  }
}
