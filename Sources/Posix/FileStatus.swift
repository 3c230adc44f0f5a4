// What the kernel says of a file: enough to tell whether it is still the same file with the same bytes.
import Glibc

/// A moment on the file system's clock. Seconds and nanoseconds stay apart, since their sum in nanoseconds can overflow.
public struct FileTime: Hashable, Comparable, Sendable {
  /// Since 1970, negative before.
  public let seconds: Int64
  /// 0…999,999,999.
  public let nanoseconds: Int64

  public init(seconds: Int64, nanoseconds: Int64) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  public static func < (a: FileTime, b: FileTime) -> Bool {
    (a.seconds, a.nanoseconds) < (b.seconds, b.nanoseconds)
  }
}

/// Which file it is, whatever its name: device and inode number.
public struct FileIdentity: Hashable, Sendable {
  public let device: UInt64
  public let inode: UInt64

  public init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }
}

/// The kinds of directory entries that are told apart here.
public enum FileKind: Hashable, Sendable {
  case regular, directory, symbolicLink
  /// A FIFO, a socket, a device.
  case other
}

/// The fields of `struct stat` that are used. Two equal values mean that no edit which the kernel timestamps came between.
public struct FileStatus: Hashable, Sendable {
  public let identity: FileIdentity
  public let kind: FileKind
  /// Bytes.
  public let size: UInt64
  /// When the bytes were last changed, as far as its writers say (`utimensat` can set it).
  public let modified: FileTime
  /// When bytes, size, name count, owner or mode were last changed; nobody can set it.
  public let changed: FileTime
  /// Permission bits, such as 0o600.
  public let mode: UInt32
  /// The user it belongs to.
  public let owner: UInt32
  /// How many names it has; 0 once it is unlinked.
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

  /// What was kept of a regular file that had a name.
  public init(
    regular identity: FileIdentity, size: UInt64, modified: FileTime, changed: FileTime, mode: UInt32, owner: UInt32,
    linkCount: UInt64
  ) {
    self.init(
      identity, .regular, size: size, modified: modified, changed: changed, mode: mode, owner: owner,
      linkCount: linkCount)
  }

  /// What was kept of a file of any kind.
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

  /// Whether it is the same file and neither its bytes nor its size were changed in between: identity, size, both times.
  public func sameContent(as other: FileStatus) -> Bool {
    identity == other.identity && size == other.size && modified == other.modified && changed == other.changed
  }

  /// As `sameContent`, but the time of change may differ if the mode, the owner or the number of names does: then that
  /// was the change.
  public func sameContentButAttributes(as other: FileStatus) -> Bool {
    sameBytes(as: other)
      && (changed == other.changed || mode != other.mode || owner != other.owner || linkCount != other.linkCount)
  }

  /// Whether both its times are so many seconds old. A file system's clock has ticks: a change in the tick of the change
  /// before it leaves the times as they are, so that the times of a younger file do not tell.
  public func isOld(seconds: Int64, at now: FileTime) -> Bool {
    let latest = max(modified, changed)
    let (due, overflows) = latest.seconds.addingReportingOverflow(seconds)
    return !overflows && FileTime(seconds: due, nanoseconds: latest.nanoseconds) <= now
  }

  /// Whether the owner may run the file.
  public var isExecutable: Bool { mode & 0o100 != 0 }

  /// As `sameContent`, but for the time of change: what a rename leaves as it was.
  public func sameBytes(as other: FileStatus) -> Bool {
    identity == other.identity && size == other.size && modified == other.modified
  }
}
