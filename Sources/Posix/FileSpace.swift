// How much space a file uses on its disk, and how much the disk has left.
import CLinux
import Glibc

extension File {
  /// Returns the bytes that the file uses on the disk. Holes use none, reserved ranges count, and a compressing file
  /// system may count less than the file's length. The corresponding C function is `fstat`, whose blocks are 512 bytes.
  public func allocatedByteCount() throws(Errno) -> UInt64 {
    var raw = stat()
    _ = try retrying("fstat", path) { fstat(descriptor.number, &raw) }
    return raw.allocatedByteCount
  }

  /// Returns how many bytes this process can still write to the file's disk, without regard to quotas; nil if the file
  /// system does not know its own size. The corresponding C function is `fstatvfs`.
  public func freeByteCount() throws(Errno) -> UInt64? {
    var raw = statvfs()
    _ = try retrying("fstatvfs", path) { fstatvfs(descriptor.number, &raw) }
    return raw.freeByteCount
  }
}

extension Directory {
  /// Returns the free bytes like `freeByteCount` of a file in this folder.
  public func freeByteCount() throws(Errno) -> UInt64? { try statvfs().freeByteCount }

  /// Returns the most bytes that a name in this folder may have; nil if the file system does not report it. The
  /// corresponding C function is `fstatvfs`.
  public func nameByteCountMax() throws(Errno) -> Int? {
    let count = try statvfs().f_namemax
    return count == 0 ? nil : Int(clamping: count)
  }

  private func statvfs() throws(Errno) -> Glibc.statvfs {
    var raw = Glibc.statvfs()
    _ = try retrying("fstatvfs", path) { fstatvfs(descriptor.number, &raw) }
    return raw
  }
}

extension statvfs {
  fileprivate var freeByteCount: UInt64? {
    if f_blocks == 0 { return nil }
    // Root may also use the blocks that are reserved for it.
    let blocks = Environment.userID == 0 ? f_bfree : f_bavail
    return UInt64(blocks).multipliedSaturating(by: UInt64(f_frsize))
  }
}

extension stat {
  /// The bytes used on the disk, from blocks of 512 bytes.
  var allocatedByteCount: UInt64 { UInt64(max(0, st_blocks)).multipliedSaturating(by: 512) }
}

extension UInt64 {
  fileprivate func multipliedSaturating(by other: UInt64) -> UInt64 {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }
}
