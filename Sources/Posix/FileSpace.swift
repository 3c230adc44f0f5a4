// How much room a file takes on its disk, and how much the disk has left.
import CLinux
import Glibc

extension File {
  /// Bytes of the disk that the file takes: holes take none, reserved ranges do, and a compressing file system may count
  /// less than the bytes that it holds. The corresponding C function is `fstat`, whose blocks are 512 bytes.
  public func allocatedByteCount() throws(Errno) -> UInt64 {
    var raw = stat()
    _ = try retrying("fstat", path) { fstat(descriptor.number, &raw) }
    return raw.allocatedByteCount
  }

  /// Bytes that this process can still write to the file's disk, without its quota; nil if the file system does not know
  /// its own size. The corresponding C function is `fstatvfs`.
  public func freeByteCount() throws(Errno) -> UInt64? {
    var raw = statvfs()
    _ = try retrying("fstatvfs", path) { fstatvfs(descriptor.number, &raw) }
    return raw.freeByteCount
  }
}

extension Directory {
  /// As `freeByteCount` of a file in this folder.
  public func freeByteCount() throws(Errno) -> UInt64? { try statvfs().freeByteCount }

  /// The most bytes of a name in this folder; nil if the file system does not say. The corresponding C function is
  /// `fstatvfs`.
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
    // Root may also use the blocks that are kept for it.
    let blocks = Environment.userID == 0 ? f_bfree : f_bavail
    return UInt64(blocks).multipliedSaturating(by: UInt64(f_frsize))
  }
}

extension stat {
  /// Bytes of the disk, in blocks of 512.
  var allocatedByteCount: UInt64 { UInt64(max(0, st_blocks)).multipliedSaturating(by: 512) }
}

extension UInt64 {
  fileprivate func multipliedSaturating(by other: UInt64) -> UInt64 {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }
}
