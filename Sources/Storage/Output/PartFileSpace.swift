// The disk space of a part file. Only the fileID says how long the file is until its data comes, and a fileID may come from
// a stranger. So a length that does not fit is refused at once, and space is reserved a little ahead of what was written.
import Posix

extension PartFile {
  /// Space that is reserved beyond the bytes written: as much as a full disk may cost a download that goes on for a while.
  static let reservedAheadBytes: UInt64 = 64 << 20

  /// Throws if the rest of the file does not fit on the disk. What is there of it already counts. Passes if the file
  /// system does not know how much room it has.
  static func checkRoom(_ file: borrowing File, length: UInt64) throws(PartFileError) {
    let missing: UInt64
    do throws(Errno) {
      guard let free = try file.freeByteCount(), length > free else { return }
      missing = length - free
      if missing <= (try file.allocatedByteCount()) { return }
      // A file system that compresses counts less than the bytes that an earlier download wrote.
      if missing <= (try dataByteCount(file)) { return }
    } catch {
      throw .io(error)
    }
    throw .noRoom(path: file.path, byteCount: length, freeBytes: length - missing)
  }

  /// Up to which byte the caller reserves space before it writes: 64 MiB beyond what an earlier download
  /// wrote there. What it wrote after a hole does not count, so that a download that is resumed again and again reserves
  /// no more each time.
  static func reservedEnd(_ file: borrowing File, length: UInt64) throws(Errno) -> UInt64 {
    // A file system that knows no holes says that all of the file is there.
    let run = try file.nextData(from: 0)
    let written = run.map { $0.lowerBound == 0 ? $0.upperBound : 0 } ?? 0
    return min(length, min(written, try file.allocatedByteCount()) + reservedAheadBytes)
  }

  /// Bytes of a file that are not in holes.
  private static func dataByteCount(_ file: borrowing File) throws(Errno) -> UInt64 {
    var (count, offset): (UInt64, UInt64) = (0, 0)
    while let run = try file.nextData(from: offset) {
      guard run.upperBound > run.lowerBound else { break }
      count += UInt64(run.count)
      offset = run.upperBound
    }
    return count
  }

  /// Whether the file system is known to reserve space, or may do so.
  var canReserve: Bool { !cannotReserve.load(ordering: .relaxed) }

  /// Reserves a range of the file, as far as the file has it. Where the file system cannot, nothing more is reserved.
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
