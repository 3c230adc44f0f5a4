// Calls on an open file. Thin: they have no policy, retry EINTR, and throw errors that name call and path.
import CLinux
import Glibc

/// How to open a file: the flags of the C function `open`. O_CLOEXEC is always added.
public struct OpenOptions: OptionSet, Sendable {
  public let rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// O_RDONLY, which has no bit: an empty set means reading.
  public static let read: OpenOptions = []
  /// O_RDWR.
  public static let readWrite = OpenOptions(rawValue: O_RDWR)
  /// O_WRONLY.
  public static let write = OpenOptions(rawValue: O_WRONLY)
  /// O_CREAT | O_EXCL: creates the file, which must not exist yet, not even as a dangling link.
  public static let createExclusive = OpenOptions(rawValue: O_CREAT | O_EXCL)
  /// O_NOFOLLOW: fails with ELOOP if the last component is a symbolic link.
  public static let noFollow = OpenOptions(rawValue: O_NOFOLLOW)
  /// O_NONBLOCK: opening a FIFO or a device does not wait for its other end.
  public static let nonBlocking = OpenOptions(rawValue: O_NONBLOCK)
}

/// An open file, and the path that its errors name. Calls with an offset may run on several threads at once.
public struct File: ~Copyable, Sendable {
  public let descriptor: FileDescriptor
  /// The path for error texts. It is not looked up again.
  public let path: String

  public init(owning descriptor: consuming FileDescriptor, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  /// Opens a path. The corresponding C function is `open`.
  /// - `mode`: the permission bits of a new file, before the umask.
  public init(_ path: String, _ options: OpenOptions, mode: UInt32 = 0o600) throws(Errno) {
    try checkNoNul(path, "open")
    let number = try retrying("open", path) { open(path, options.rawValue | O_CLOEXEC, mode_t(mode)) }
    self.init(owning: FileDescriptor(owning: number), path: path)
  }

  /// Returns a second descriptor of standard output. Closing it does not close the process's own. The corresponding C
  /// function is `fcntl` with F_DUPFD_CLOEXEC.
  public static func standardOutput() throws(Errno) -> File {
    try duplicate(of: STDOUT_FILENO, path: "standard output")
  }

  /// Returns a duplicate of a descriptor of this process, which is closed independently. The corresponding C function
  /// is `fcntl(F_DUPFD_CLOEXEC)`.
  public static func duplicate(of number: Int32, path: String) throws(Errno) -> File {
    let number = try retrying("fcntl", path) { fcntl(number, F_DUPFD_CLOEXEC, 3) }
    return File(owning: FileDescriptor(owning: number), path: path)
  }

  /// The corresponding C function is `fstat`.
  public func status() throws(Errno) -> FileStatus {
    var raw = stat()
    _ = try retrying("fstat", path) { fstat(descriptor.number, &raw) }
    return FileStatus(raw)
  }

  /// Fills the span with bytes from `offset` on, in as many calls as needed. Returns the number of bytes read: fewer
  /// than the span holds only at the end of the file. The corresponding C function is `pread`.
  public func read(at offset: UInt64, into buffer: inout MutableRawSpan) throws(Errno) -> Int {
    try read(at: offset, count: buffer.byteCount, into: &buffer)
  }

  /// Fills only `wanted` bytes of the span; else like `read(at:into:)`.
  /// - `place`: the index in the span at which they begin.
  public func read(
    at offset: UInt64, count wanted: Int, into buffer: inout MutableRawSpan, from place: Int = 0
  ) throws(Errno) -> Int {
    precondition(wanted >= 0 && place >= 0 && wanted <= buffer.byteCount - place, "what is read fits the span")
    var done = 0
    try checkRange(offset, wanted, "pread")
    while done < wanted {
      let count = try retrying("pread", path) {
        buffer.withUnsafeMutableBytes { bytes in
          pread(
            descriptor.number, bytes.baseAddress! + place + done, wanted - done, off_t(offset) + off_t(done))
        }
      }
      if count == 0 { break }
      done += count
    }
    return done
  }

  /// Writes all bytes from `offset` on. The corresponding C function is `pwrite`.
  public func write(_ bytes: RawSpan, at offset: UInt64) throws(Errno) {
    var done = 0
    let wanted = bytes.byteCount
    try checkRange(offset, wanted, "pwrite")
    while done < wanted {
      done += try retrying("pwrite", path) {
        bytes.withUnsafeBytes { bytes in
          pwrite(descriptor.number, bytes.baseAddress! + done, wanted - done, off_t(offset) + off_t(done))
        }
      }
    }
  }

  /// Writes all bytes at the file position. Waits while a pipe is full, even if it is non-blocking. The corresponding C
  /// function is `write`.
  public func write(_ bytes: RawSpan) throws(Errno) {
    var done = 0
    let wanted = bytes.byteCount
    while done < wanted {
      let count = try retryingUnlessBlocked("write", path) {
        bytes.withUnsafeBytes { bytes in
          Glibc.write(descriptor.number, bytes.baseAddress! + done, wanted - done)
        }
      }
      if let count {
        done += count
      } else {
        var waiting = pollfd(fd: descriptor.number, events: Int16(POLLOUT), revents: 0)
        _ = try retrying("poll", path) { poll(&waiting, 1, -1) }
      }
    }
  }

  /// Sets the length of the file to `size` bytes. If it grows, the new part is a hole. The corresponding C function is
  /// `ftruncate`.
  public func truncate(to size: UInt64) throws(Errno) {
    try checkRange(size, 0, "ftruncate")
    _ = try retrying("ftruncate", path) { ftruncate(descriptor.number, off_t(size)) }
  }

  /// Reserves disk space for a range, and grows the file to the end of it. The corresponding C function is Linux's
  /// `fallocate`: EOPNOTSUPP if the file system cannot do it, ENOSPC or EDQUOT if there is no space.
  public func allocate(from offset: UInt64, count: UInt64) throws(Errno) {
    guard count <= UInt64(Int64.max) else { throw Errno(code: EFBIG, call: "fallocate", subject: path) }
    try checkRange(offset, Int(count), "fallocate")
    _ = try retrying("fallocate", path) { fallocate(descriptor.number, 0, off_t(offset), off_t(count)) }
  }

  /// Waits until the bytes and the size are on the disk. A failure is final: the kernel may have dropped the pages, so
  /// a second call that succeeds proves nothing. The corresponding C function is `fdatasync`.
  public func syncData() throws(Errno) {
    _ = try retrying("fdatasync", path) { fdatasync(descriptor.number) }
  }

  /// Waits like `syncData`, also for all metadata. The corresponding C function is `fsync`.
  public func sync() throws(Errno) {
    _ = try retrying("fsync", path) { fsync(descriptor.number) }
  }

  /// Starts to write the dirty pages of a range to the disk, without waiting and without any guarantee. A count of 0
  /// means up to the end. The corresponding C function is `sync_file_range` with SYNC_FILE_RANGE_WRITE.
  public func startWriteBack(from offset: UInt64 = 0, count: UInt64 = 0) throws(Errno) {
    guard count <= UInt64(Int64.max) else { throw Errno(code: EINVAL, call: "sync_file_range", subject: path) }
    try checkRange(offset, Int(count), "sync_file_range")
    _ = try retrying("sync_file_range", path) {
      sync_file_range(descriptor.number, Int64(offset), Int64(count), UInt32(P2P_SYNC_FILE_RANGE_WRITE))
    }
  }

  /// Advises the kernel that a range will be read soon, so that it can read ahead. The corresponding C function is
  /// `posix_fadvise` with POSIX_FADV_WILLNEED.
  public func willRead(from offset: UInt64, count: Int) {
    guard offset <= UInt64(Int64.max), count >= 0 else { return }
    _ = posix_fadvise(descriptor.number, off_t(offset), off_t(count), POSIX_FADV_WILLNEED)
  }

  /// Advises the kernel to drop the clean pages of the file from its cache. The corresponding C function is
  /// `posix_fadvise` with POSIX_FADV_DONTNEED.
  public func dropCache() { _ = posix_fadvise(descriptor.number, 0, 0, POSIX_FADV_DONTNEED) }

  /// Sets the permission bits, without regard to the umask. The corresponding C function is `fchmod`.
  public func setMode(_ mode: UInt32) throws(Errno) {
    _ = try retrying("fchmod", path) { fchmod(descriptor.number, mode_t(mode)) }
  }

  /// Takes the exclusive lock of this file without waiting. Returns false if another open descriptor of the file holds
  /// it. Closing the last duplicate of this descriptor releases it. The corresponding C function is `flock` with
  /// LOCK_EX | LOCK_NB.
  public func tryLock() throws(Errno) -> Bool {
    try retryingUnlessBlocked("flock", path) { flock(descriptor.number, LOCK_EX | LOCK_NB) } != nil
  }

  /// Takes the exclusive lock of one byte, which need not exist, without waiting; false where another open file has it. It
  /// goes with the last descriptor. The corresponding C function is `fcntl` with F_OFD_SETLK.
  /// - `offset`: less than 2^63.
  public func tryLock(byteAt offset: UInt64) throws(Errno) -> Bool {
    let setLock: Int32 = 37  // F_OFD_SETLK of Linux, which Glibc shows only with _GNU_SOURCE
    var range: Glibc.flock = .init()
    (range.l_type, range.l_whence) = (Int16(F_WRLCK), Int16(SEEK_SET))
    (range.l_start, range.l_len) = (off_t(offset), 1)
    return try retryingUnlessBlocked("fcntl", path) { fcntl(descriptor.number, setLock, &range) } != nil
  }

  /// Releases the lock before the descriptor is closed. The corresponding C function is `flock` with LOCK_UN.
  public func unlock() throws(Errno) { _ = try retrying("flock", path) { flock(descriptor.number, LOCK_UN) } }

  /// Takes the lock like `tryLock`, but waits until it is free.
  public func lock() throws(Errno) { _ = try retrying("flock", path) { flock(descriptor.number, LOCK_EX) } }

  /// Returns the file's path now, which may differ from the one that was opened. For a removed file it ends in "
  /// (deleted)". The corresponding C function is `readlink` of /proc/self/fd.
  public func currentPath() throws(Errno) -> String {
    String(decoding: try pathBytesNow(of: descriptor, path), as: UTF8.self)
  }

  /// Returns the first range at or after `offset` that is not a hole; nil if only a hole follows. A file system without
  /// holes has one range up to the end. Moves the file position. The corresponding C function is `lseek` with SEEK_DATA
  /// and SEEK_HOLE.
  public func nextData(from offset: UInt64) throws(Errno) -> Range<UInt64>? {
    try checkRange(offset, 0, "lseek")
    let start: off_t
    do {
      start = try retrying("lseek", path) { lseek(descriptor.number, off_t(offset), Int32(P2P_SEEK_DATA)) }
    } catch {
      if error.code == ENXIO { return nil }
      throw error
    }
    let end = try retrying("lseek", path) { lseek(descriptor.number, start, Int32(P2P_SEEK_HOLE)) }
    return UInt64(start)..<UInt64(max(start, end))
  }

  /// Throws EOVERFLOW if a range does not fit the kernel's signed offsets.
  private func checkRange(_ offset: UInt64, _ count: Int, _ call: String) throws(Errno) {
    guard offset <= UInt64(Int64.max), UInt64(count) <= UInt64(Int64.max) - offset else {
      throw Errno(code: EOVERFLOW, call: call, subject: path)
    }
  }
}

/// Throws EINVAL if a path contains a NUL: the kernel would get only the part before it, which is another path.
func checkNoNul(_ path: String, _ call: String) throws(Errno) {
  if path.utf8.contains(0) { throw Errno(code: EINVAL, call: call, subject: path) }
}

/// Returns the absolute path of an open file or folder, as the kernel knows it.
func pathBytesNow(of descriptor: borrowing FileDescriptor, _ subject: String) throws(Errno) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX) + 1)
  let count = try retrying("readlink", subject) {
    bytes.withUnsafeMutableBytes { bytes in
      readlink(
        "/proc/self/fd/\(descriptor.number)", bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
    }
  }
  return Array(bytes[..<count])
}
