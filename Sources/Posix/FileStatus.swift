// The status of a file in the kernel: enough to recognise whether it is still the same file with the same bytes.
import Glibc

/// A time of the file system's clock. Seconds and nanoseconds are separate, since their sum in nanoseconds can
/// overflow.
public struct FileTime: Hashable, Comparable, Sendable {
  /// Seconds since 1970; negative before.
  public let seconds: Int64
  /// Nanoseconds of the second, 0…999,999,999.
  public let nanoseconds: Int64

  public init(seconds: Int64, nanoseconds: Int64) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  public static func < (a: FileTime, b: FileTime) -> Bool {
    (a.seconds, a.nanoseconds) < (b.seconds, b.nanoseconds)
  }
}

/// The identity of a file, independent of its names: device and inode number.
public struct FileIdentity: Hashable, Sendable {
  public let device: UInt64
  public let inode: UInt64

  public init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }
}

/// The kinds of directory entries that this program distinguishes.
public enum FileKind: Hashable, Sendable {
  case regular, directory, symbolicLink
  /// A FIFO, a socket, a device.
  case other
}

/// The used fields of `struct stat`. If two values are equal, no edit that the kernel timestamps came between them.
public struct FileStatus: Hashable, Sendable {
  public let identity: FileIdentity
  public let kind: FileKind
  /// The length in bytes.
  public let size: UInt64
  /// When the bytes were last changed. A program can set it to any time (`utimensat`).
  public let modified: FileTime
  /// When bytes, size, number of names, owner or mode were last changed. Programs cannot set it.
  public let changed: FileTime
  /// Permission bits, such as 0o600.
  public let mode: UInt32
  /// The user who owns the file.
  public let owner: UInt32
  /// The number of names; 0 once the file is unlinked.
  public let linkCount: UInt64

  init(_ raw: stat) {
    identity = FileIdentity(device: UInt64(raw.st_dev), inode: UInt64(raw.st_ino))
    kind =
      switch raw.st_mode & S_IFMT {
      case S_IFREG: .regular
      case S_IFDIR: .directory
      case S_IFLNK: .symbolicLink
      default: .other
      }
    size = UInt64(max(0, raw.st_size))
    modified = FileTime(seconds: Int64(raw.st_mtim.tv_sec), nanoseconds: Int64(raw.st_mtim.tv_nsec))
    changed = FileTime(seconds: Int64(raw.st_ctim.tv_sec), nanoseconds: Int64(raw.st_ctim.tv_nsec))
    mode = UInt32(raw.st_mode & 0o7777)
    owner = UInt32(raw.st_uid)
    linkCount = UInt64(raw.st_nlink)
  }

  /// Restores the stored status of a regular file.
  public init(
    regular identity: FileIdentity, size: UInt64, modified: FileTime, changed: FileTime, mode: UInt32, owner: UInt32,
    linkCount: UInt64
  ) {
    self.init(
      identity, .regular, size: size, modified: modified, changed: changed, mode: mode, owner: owner,
      linkCount: linkCount)
  }

  /// Restores the stored status of a file of any kind.
  public init(
    _ identity: FileIdentity, _ kind: FileKind, size: UInt64, modified: FileTime, changed: FileTime, mode: UInt32,
    owner: UInt32, linkCount: UInt64
  ) {
    self.kind = kind
    self.identity = identity
    self.size = size
    self.modified = modified
    self.changed = changed
    self.mode = mode
    self.owner = owner
    self.linkCount = linkCount
  }

  /// Returns whether it is the same file with unchanged bytes: identity, size and both times are equal.
  public func sameContent(as other: FileStatus) -> Bool {
    identity == other.identity && size == other.size && modified == other.modified && changed == other.changed
  }

  /// Compares like `sameContent`, but `changed` may differ if mode, owner or number of names differs too: then that
  /// explains the new time.
  public func sameContentButAttributes(as other: FileStatus) -> Bool {
    sameBytes(as: other)
      && (changed == other.changed || mode != other.mode || owner != other.owner || linkCount != other.linkCount)
  }

  /// Returns whether both times are at least this many seconds old. A file system's clock has ticks, and a second
  /// change in the same tick leaves the times as they are. So the times of a younger file prove nothing.
  public func isOld(seconds: Int64, at now: FileTime) -> Bool {
    let latest = max(modified, changed)
    let (due, overflows) = latest.seconds.addingReportingOverflow(seconds)
    return !overflows && FileTime(seconds: due, nanoseconds: latest.nanoseconds) <= now
  }

  /// Whether the owner may execute the file.
  public var isExecutable: Bool { mode & 0o100 != 0 }

  /// Compares like `sameContent`, but ignores `changed`, as a rename can change it.
  public func sameBytes(as other: FileStatus) -> Bool {
    identity == other.identity && size == other.size && modified == other.modified
  }
}
