// Calls for work below a folder: links, removal of folders, moves to another folder, and syncs of the file system.
import CLinux
import Glibc

extension Directory {
  /// Removes an empty folder. ENOTEMPTY if it holds names, ENOTDIR if it is not a folder. The corresponding C function
  /// is `unlinkat` with AT_REMOVEDIR.
  public func removeDirectory(_ name: String) throws(Errno) {
    try checkNoNul(name, "unlinkat")
    _ = try retrying("unlinkat", path(of: name)) { unlinkat(descriptor.number, name, AT_REMOVEDIR) }
  }

  /// Makes a symbolic link. EEXIST if the name is taken. The target is not checked. The corresponding C function is
  /// `symlinkat`.
  public func makeSymbolicLink(_ name: String, to target: String) throws(Errno) {
    try checkNoNul(name, "symlinkat")
    try checkNoNul(target, "symlinkat")
    _ = try retrying("symlinkat", path(of: name)) { symlinkat(target, descriptor.number, name) }
  }

  /// Returns the bytes of a symbolic link's target. EINVAL if the name is not a link. The corresponding C function is
  /// `readlinkat`.
  public func target(ofLink name: String) throws(Errno) -> [UInt8] {
    try checkNoNul(name, "readlinkat")
    // Linux allows no longer target.
    var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = try retrying("readlinkat", path(of: name)) {
      bytes.withUnsafeMutableBytes { bytes in
        readlinkat(
          descriptor.number, name, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
      }
    }
    return Array(bytes[..<count])
  }

  /// Moves a name into another folder of the same file system. Replaces a file or an empty folder with the new name.
  /// The corresponding C function is `renameat`.
  public func move(_ old: String, to new: String, in other: borrowing Directory) throws(Errno) {
    try checkNoNul(old, "renameat")
    try checkNoNul(new, "renameat")
    _ = try retrying("renameat", other.path(of: new)) {
      renameat(descriptor.number, old, other.descriptor.number, new)
    }
  }

  /// Moves a name like `move`, but fails with EEXIST if the new name is taken, and with EINVAL if the file system
  /// cannot do that. The corresponding C function is Linux's `renameat2` with RENAME_NOREPLACE.
  public func moveWithoutReplacing(
    _ old: String, to new: String, in other: borrowing Directory
  ) throws(Errno) {
    try checkNoNul(old, "renameat2")
    try checkNoNul(new, "renameat2")
    _ = try retrying("renameat2", other.path(of: new)) {
      renameat2(descriptor.number, old, other.descriptor.number, new, UInt32(P2P_RENAME_NOREPLACE))
    }
  }

  /// Waits until everything written to the folder's file system is on the disk. Fails once if the kernel could not
  /// write some data since this folder was opened, of any process. The corresponding C function is `syncfs`.
  public func syncFileSystem() throws(Errno) {
    _ = try retrying("syncfs", path) { syncfs(descriptor.number) }
  }

  /// Returns whether `syncFileSystem` reports data that the kernel could not write. It does so since Linux 5.8, on file
  /// systems that write back through this machine's page cache. The corresponding C functions are `uname` and
  /// `fstatfs`.
  public func reportsSyncFailures() -> Bool {
    guard Kernel.isAtLeast(5, 8) else { return false }
    var raw = statfs()
    guard fstatfs(descriptor.number, &raw) == 0 else { return false }
    return FileSystemMagic.local.contains(UInt32(truncatingIfNeeded: raw.f_type))
  }
}

/// Numbers of file systems, from statfs(2).
private enum FileSystemMagic {
  static let ext4: UInt32 = 0xEF53
  static let xfs: UInt32 = 0x5846_5342
  static let btrfs: UInt32 = 0x9123_683E
  static let tmpfs: UInt32 = 0x0102_1994

  static let local: Set = [ext4, xfs, btrfs, tmpfs]
}

enum Kernel {
  /// Returns whether the kernel has at least this version. The corresponding C function is `uname`.
  static func isAtLeast(_ major: Int, _ minor: Int) -> Bool {
    var raw = utsname()
    guard uname(&raw) == 0 else { return false }
    let release = withUnsafeBytes(of: &raw.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return isAtLeast(major, minor, release: release)
  }

  /// Returns whether a release has at least this version.
  /// - `release`: a text such as "6.1.0-18-amd64".
  static func isAtLeast(_ major: Int, _ minor: Int, release: String) -> Bool {
    let numbers = release.split { !$0.isNumber }.prefix(2).map { Int($0) ?? 0 }
    guard numbers.count == 2 else { return false }
    return (numbers[0], numbers[1]) >= (major, minor)
  }
}

extension File {
  /// Copies bytes within the kernel, which shares them on the disk if the file system can. Returns the number of bytes
  /// copied: fewer only at the end of this file. EXDEV, EINVAL or EOPNOTSUPP if the kernel cannot copy between these
  /// files. The corresponding C function is Linux's `copy_file_range`.
  public func copyRange(
    at offset: UInt64, count: UInt64, to other: borrowing File, at otherOffset: UInt64
  ) throws(Errno) -> UInt64 {
    guard let from = Int64(exactly: offset), let to = Int64(exactly: otherOffset), let count = Int64(exactly: count)
    else { throw Errno(code: EOVERFLOW, call: "copy_file_range", subject: path) }
    var (source, destination, left) = (off_t(from), off_t(to), Int(count))
    while left > 0 {
      let copied = try retrying("copy_file_range", other.path) {
        copy_file_range(descriptor.number, &source, other.descriptor.number, &destination, left, 0)
      }
      if copied == 0 { break }
      left -= copied
    }
    return UInt64(count) - UInt64(left)
  }
}
