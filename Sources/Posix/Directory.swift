// An open folder, and calls that take a name in it. They stay in this folder even if its path is renamed.
import CLinux
import Glibc

/// A name in a folder, as the file system stores it.
public struct DirectoryEntry: Hashable, Sendable {
  /// Any bytes except 0 and "/"; usually, but not always, UTF-8.
  public let name: [UInt8]
  /// Nil if the file system reports it only through `status(of:)`.
  public let kind: FileKind?

  /// The name as text; nil if it is not UTF-8.
  public var text: String? { String(validating: name, as: UTF8.self) }
}

/// An open folder, and the path that its errors name.
public struct Directory: ~Copyable, Sendable {
  public let descriptor: FileDescriptor
  /// The path for error texts. It is not looked up again.
  public let path: String

  /// Opens a folder, following links. The corresponding C function is `open` with O_DIRECTORY.
  public init(_ path: String) throws(Errno) {
    try checkNoNul(path, "open")
    let number = try retrying("open", path) { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    self.init(owning: FileDescriptor(owning: number), path: path)
  }

  /// Returns whether a path leads to a folder, following links. The corresponding C function is `stat`.
  public static func exists(_ path: String) -> Bool {
    var raw = stat()
    return stat(path, &raw) == 0 && raw.st_mode & S_IFMT == S_IFDIR
  }

  init(owning descriptor: consuming FileDescriptor, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  /// Returns the path for errors about a name in this folder.
  public func path(of name: String) -> String { path.utf8.last == UInt8(ascii: "/") ? path + name : path + "/" + name }

  /// Returns the folder's absolute path without links. EILSEQ if it is not UTF-8. The corresponding C function is
  /// `readlink` of /proc/self/fd.
  public func realPath() throws(Errno) -> String {
    guard let text = String(validating: try realPathBytes(), as: UTF8.self) else {
      throw Errno(code: EILSEQ, call: "readlink", subject: path)
    }
    return text
  }

  /// Returns the path like `realPath`, but as bytes, which need not be UTF-8.
  public func realPathBytes() throws(Errno) -> [UInt8] { try pathBytesNow(of: descriptor, path) }

  /// Returns the status of the folder itself. The corresponding C function is `fstat`.
  public func status() throws(Errno) -> FileStatus {
    var raw = stat()
    _ = try retrying("fstat", path) { fstat(descriptor.number, &raw) }
    return FileStatus(raw)
  }

  /// Returns the status of a name, without following a link. The corresponding C function is `fstatat` with
  /// AT_SYMLINK_NOFOLLOW.
  public func status(of name: String) throws(Errno) -> FileStatus {
    try checkNoNul(name, "fstatat")
    var raw = stat()
    _ = try retrying("fstatat", path(of: name)) {
      fstatat(descriptor.number, name, &raw, AT_SYMLINK_NOFOLLOW)
    }
    return FileStatus(raw)
  }

  /// Returns the bytes that a name uses on the disk, without following a link. The corresponding C function is
  /// `fstatat`.
  public func allocatedByteCount(of name: String) throws(Errno) -> UInt64 {
    try checkNoNul(name, "fstatat")
    var raw = stat()
    _ = try retrying("fstatat", path(of: name)) {
      fstatat(descriptor.number, name, &raw, AT_SYMLINK_NOFOLLOW)
    }
    return raw.allocatedByteCount
  }

  /// Returns the status of a name like `status(of:)`, but follows a link. The corresponding C function is `fstatat`.
  public func status(ofTarget name: String) throws(Errno) -> FileStatus {
    try checkNoNul(name, "fstatat")
    var raw = stat()
    _ = try retrying("fstatat", path(of: name)) { fstatat(descriptor.number, name, &raw, 0) }
    return FileStatus(raw)
  }

  /// Returns the target of a symbolic link, as the file system stores it. EINVAL if the name is not a link. The
  /// corresponding C function is `readlinkat`.
  public func readLink(_ name: String) throws(Errno) -> [UInt8] {
    try checkNoNul(name, "readlinkat")
    var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX) + 1)
    let count = try retrying("readlinkat", path(of: name)) {
      bytes.withUnsafeMutableBytes { bytes in
        readlinkat(
          descriptor.number, name, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
      }
    }
    return Array(bytes[..<count])
  }

  /// Opens or creates a name in this folder. The corresponding C function is `openat`.
  public func open(_ name: String, _ options: OpenOptions, mode: UInt32 = 0o600) throws(Errno) -> File {
    try checkNoNul(name, "openat")
    let number = try retrying("openat", path(of: name)) {
      openat(descriptor.number, name, options.rawValue | O_CLOEXEC, mode_t(mode))
    }
    return File(owning: FileDescriptor(owning: number), path: path(of: name))
  }

  /// Opens a relative path that cannot leave this folder: no "..", no absolute path (EXDEV), no symbolic link anywhere
  /// in it (ELOOP), no magic link. The corresponding C function is Linux's `openat2` with RESOLVE_BENEATH |
  /// RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS.
  public func open(beneath relativePath: String, _ options: OpenOptions) throws(Errno) -> File {
    File(owning: try openBeneath(relativePath, options.rawValue), path: path(of: relativePath))
  }

  /// Opens a folder below this one, like `open(beneath:)`. "." opens this folder once more.
  public func openDirectory(beneath relativePath: String) throws(Errno) -> Directory {
    Directory(
      owning: try openBeneath(relativePath, O_RDONLY | O_DIRECTORY),
      path: relativePath == "." ? path : path(of: relativePath))
  }

  private func openBeneath(_ relativePath: String, _ flags: Int32) throws(Errno) -> FileDescriptor {
    try checkNoNul(relativePath, "openat2")
    let resolve = P2P_RESOLVE_BENEATH | P2P_RESOLVE_NO_SYMLINKS | P2P_RESOLVE_NO_MAGICLINKS
    do throws(Errno) {
      let number = try retrying("openat2", path(of: relativePath)) {
        p2p_openat2(descriptor.number, relativePath, UInt64(UInt32(bitPattern: flags | O_CLOEXEC)), 0, UInt64(resolve))
      }
      return FileDescriptor(owning: Int32(number))
    } catch {
      // The kernel is old, or a sandbox forbids the call, as systemd's RestrictSUIDSGID and old container engines do.
      guard error.code == ENOSYS || error.code == EPERM else { throw error }
      return try walkBeneath(relativePath, flags)
    }
  }

  /// Opens a path like `openBeneath`, without `openat2`: one folder after the other, each from the one before, and
  /// through no link.
  func walkBeneath(_ relativePath: String, _ flags: Int32) throws(Errno) -> FileDescriptor {
    let subject = path(of: relativePath)
    let names = relativePath.split(separator: "/").filter { $0 != "." }.map(String.init)
    guard !relativePath.utf8.starts(with: "/".utf8), !names.contains("..") else {
      throw Errno(code: EXDEV, call: "openat", subject: subject)
    }
    func open(_ name: String, in folder: Int32, _ flags: Int32) throws(Errno) -> FileDescriptor {
      do throws(Errno) {
        return FileDescriptor(
          owning: try retrying("openat", subject) { openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC, 0) })
      } catch {
        // If a folder is wanted, the kernel reports a link as ENOTDIR.
        var status = stat()
        let isLink =
          error.code == ENOTDIR && fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0
          && status.st_mode & S_IFMT == S_IFLNK
        throw isLink ? Errno(code: ELOOP, call: error.call, subject: subject) : error
      }
    }
    guard let last = names.last else { return try open(".", in: descriptor.number, flags) }
    guard names.count > 1 else { return try open(last, in: descriptor.number, flags) }
    var folder = try open(names[0], in: descriptor.number, O_RDONLY | O_DIRECTORY)
    for name in names[1..<(names.count - 1)] { folder = try open(name, in: folder.number, O_RDONLY | O_DIRECTORY) }
    return try open(last, in: folder.number, flags)
  }

  /// Returns all entries of this folder except "." and "..", in the file system's order. The corresponding C functions
  /// are `fdopendir` and `readdir`.
  public func entries() throws(Errno) -> [DirectoryEntry] {
    // Needs its own descriptor, since readdir moves the position and closedir closes it.
    let own = try openBeneath(".", O_RDONLY | O_DIRECTORY).release()
    guard let stream = fdopendir(own) else {
      let code = errno
      close(own)
      throw Errno(code: code, call: "fdopendir", subject: path)
    }
    defer { closedir(stream) }
    var entries: [DirectoryEntry] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        let code = errno
        if code == 0 { return entries }
        throw Errno(code: code, call: "readdir", subject: path)
      }
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if name == [UInt8(ascii: ".")] || name == [UInt8(ascii: "."), UInt8(ascii: ".")] { continue }
      entries.append(DirectoryEntry(name: name, kind: Directory.kind(ofType: Int(entry.pointee.d_type))))
    }
  }

  private static func kind(ofType type: Int) -> FileKind? {
    switch type {
    case Int(DT_UNKNOWN): nil
    case Int(DT_REG): .regular
    case Int(DT_DIR): .directory
    case Int(DT_LNK): .symbolicLink
    default: .other
    }
  }

  /// Makes a folder in this folder. The corresponding C function is `mkdirat`.
  public func makeDirectory(_ name: String, mode: UInt32) throws(Errno) {
    try checkNoNul(name, "mkdirat")
    _ = try retrying("mkdirat", path(of: name)) { mkdirat(descriptor.number, name, mode_t(mode)) }
  }

  /// Makes a folder at a path. The corresponding C function is `mkdir`.
  public static func make(_ path: String, mode: UInt32) throws(Errno) {
    try checkNoNul(path, "mkdir")
    _ = try retrying("mkdir", path) { mkdir(path, mode_t(mode)) }
  }

  /// Removes a name that is not a folder. The corresponding C function is `unlinkat`.
  public func remove(_ name: String) throws(Errno) {
    try checkNoNul(name, "unlinkat")
    _ = try retrying("unlinkat", path(of: name)) { unlinkat(descriptor.number, name, 0) }
  }

  /// Renames `old` to `new`, and replaces an existing `new`. The corresponding C function is `renameat`.
  public func rename(_ old: String, to new: String) throws(Errno) {
    try checkNoNul(old, "renameat")
    try checkNoNul(new, "renameat")
    _ = try retrying("renameat", path(of: new)) { renameat(descriptor.number, old, descriptor.number, new) }
  }

  /// Renames like `rename`, but fails with EEXIST if the new name is taken, and with EINVAL if the file system cannot
  /// do that. The corresponding C function is Linux's `renameat2` with RENAME_NOREPLACE.
  public func renameWithoutReplacing(_ old: String, to new: String) throws(Errno) {
    try checkNoNul(old, "renameat2")
    try checkNoNul(new, "renameat2")
    _ = try retrying("renameat2", path(of: new)) {
      renameat2(descriptor.number, old, descriptor.number, new, UInt32(P2P_RENAME_NOREPLACE))
    }
  }

  /// Gives a file a second name. EEXIST if the name is taken. The corresponding C function is `linkat`.
  public func link(_ old: String, as new: String) throws(Errno) {
    try checkNoNul(old, "linkat")
    try checkNoNul(new, "linkat")
    _ = try retrying("linkat", path(of: new)) { linkat(descriptor.number, old, descriptor.number, new, 0) }
  }

  /// Waits until the names are on the disk. The corresponding C function is `fsync`. EINVAL is ignored: such a file
  /// system cannot sync a folder, and has nothing to wait for.
  public func sync() throws(Errno) {
    do {
      _ = try retrying("fsync", path) { fsync(descriptor.number) }
    } catch {
      if error.code != EINVAL { throw error }
    }
  }
}
