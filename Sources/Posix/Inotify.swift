// News of folders: which names in them came, went or changed. The kernel's queue is bounded, and says when it ran over.
import CLinux
import Glibc

/// What happened to a name in a watched folder, or to the watch itself. Several may stand together.
public struct FolderChange: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// IN_CREATE: it is new: made, or linked.
  public static let created = FolderChange(rawValue: UInt32(IN_CREATE))
  /// IN_DELETE: it is gone.
  public static let deleted = FolderChange(rawValue: UInt32(IN_DELETE))
  /// IN_MODIFY: it was written to or cut.
  public static let modified = FolderChange(rawValue: UInt32(IN_MODIFY))
  /// IN_CLOSE_WRITE: a process that could write to it has closed it.
  public static let writerClosed = FolderChange(rawValue: UInt32(IN_CLOSE_WRITE))
  /// IN_ATTRIB: its times, mode, owner or name count changed.
  public static let attributes = FolderChange(rawValue: UInt32(IN_ATTRIB))
  /// IN_MOVED_FROM: it was renamed away; the event with the same cookie says where to, if that is watched.
  public static let movedFrom = FolderChange(rawValue: UInt32(IN_MOVED_FROM))
  /// IN_MOVED_TO: it was renamed to this name, in the place of whatever had it.
  public static let movedTo = FolderChange(rawValue: UInt32(IN_MOVED_TO))

  /// IN_ISDIR: the name is a folder's. Told with the others.
  public static let isFolder = FolderChange(rawValue: UInt32(IN_ISDIR))
  /// IN_IGNORED: the watch is over, since its folder is. Always told.
  public static let watchEnded = FolderChange(rawValue: UInt32(IN_IGNORED))
  /// IN_Q_OVERFLOW: events were lost. Always told.
  public static let overflow = FolderChange(rawValue: UInt32(IN_Q_OVERFLOW))
}

/// One piece of news.
public struct FolderEvent: Hashable, Sendable {
  /// The watch that it is about; −1 for an overflow.
  public let watch: Int32
  public let change: FolderChange
  /// The same for both halves of a rename, else 0.
  public let cookie: UInt32
  /// Any bytes but 0 and "/"; empty where the news is of the watch itself.
  public let name: [UInt8]

  public init(watch: Int32, change: FolderChange, cookie: UInt32 = 0, name: [UInt8]) {
    self.watch = watch
    self.change = change
    self.cookie = cookie
    self.name = name
  }
}

/// An inotify instance. Any thread may add watches, one reads.
public struct Inotify: ~Copyable, Sendable {
  private let descriptor: FileDescriptor
  /// To be added to an `Epoll`: readable while there is news.
  public var number: Int32 { descriptor.number }

  /// The corresponding C function is `inotify_init1`. EMFILE where the user has no instance left.
  public init() throws(Errno) {
    descriptor = FileDescriptor(
      owning: try retrying("inotify_init1") { inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK)) })
  }

  /// Watches an open folder, whatever its path has become. The same folder has the same watch, as long as it is watched.
  /// ENOSPC where the user has no watch left. The corresponding C function is `inotify_add_watch`.
  public func watch(_ folder: borrowing Directory, _ changes: FolderChange) throws(Errno) -> Int32 {
    try retrying("inotify_add_watch", folder.path) {
      inotify_add_watch(
        descriptor.number, "/proc/self/fd/\(folder.descriptor.number)", changes.rawValue | UInt32(IN_ONLYDIR))
    }
  }

  /// Ends a watch; one that has ended already stays so. The corresponding C function is `inotify_rm_watch`.
  public func end(_ watch: Int32) { _ = inotify_rm_watch(descriptor.number, watch) }

  /// The news that wait, the oldest first, at most about a thousand; empty where there are none.
  public func read() throws(Errno) -> [FolderEvent] {
    var buffer = [UInt8](repeating: 0, count: 1 << 15)
    let count = try retryingUnlessBlocked("read", "inotify") {
      Glibc.read(descriptor.number, &buffer, buffer.count)
    }
    guard let count else { return [] }
    var events: [FolderEvent] = []
    let bytes = buffer.span.bytes
    var start = 0
    while count - start >= Inotify.headerBytes {
      let nameBytes = Int(bytes.unsafeLoadUnaligned(fromByteOffset: start + 12, as: UInt32.self))
      let end = start + Inotify.headerBytes + nameBytes
      precondition(end <= count, "the kernel writes whole events")
      events.append(
        FolderEvent(
          watch: bytes.unsafeLoadUnaligned(fromByteOffset: start, as: Int32.self),
          change: FolderChange(rawValue: bytes.unsafeLoadUnaligned(fromByteOffset: start + 4, as: UInt32.self)),
          cookie: bytes.unsafeLoadUnaligned(fromByteOffset: start + 8, as: UInt32.self),
          name: Array(buffer[(start + Inotify.headerBytes)..<end].prefix { $0 != 0 })))
      start = end
    }
    return events
  }

  /// Of `struct inotify_event`: watch, mask, cookie, length of the name.
  private static let headerBytes = 16
}

extension Errno {
  /// ENOSPC of `inotify_add_watch`, EMFILE of `inotify_init1`: the user's limit.
  public var isWatchLimit: Bool { code == ENOSPC || code == EMFILE || code == ENOMEM }
}
