// Reports which names in folders came, went or changed. The kernel's queue is bounded, and reports when it overflowed.
import CLinux
import Glibc

/// What happened to a name in a watched folder, or to the watch itself. Several may be combined.
public struct FolderChange: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// IN_CREATE: the name was created or linked.
  public static let created = FolderChange(rawValue: UInt32(IN_CREATE))
  /// IN_DELETE: the name was removed.
  public static let deleted = FolderChange(rawValue: UInt32(IN_DELETE))
  /// IN_MODIFY: the file was written to or truncated.
  public static let modified = FolderChange(rawValue: UInt32(IN_MODIFY))
  /// IN_CLOSE_WRITE: a process that could write to the file has closed it.
  public static let writerClosed = FolderChange(rawValue: UInt32(IN_CLOSE_WRITE))
  /// IN_ATTRIB: its times, mode, owner or number of names changed.
  public static let attributes = FolderChange(rawValue: UInt32(IN_ATTRIB))
  /// IN_MOVED_FROM: the name was moved away. If the new folder is watched, an event with the same cookie has the new
  /// name.
  public static let movedFrom = FolderChange(rawValue: UInt32(IN_MOVED_FROM))
  /// IN_MOVED_TO: an entry was moved to this name, and replaced the old one if there was one.
  public static let movedTo = FolderChange(rawValue: UInt32(IN_MOVED_TO))

  /// IN_ISDIR: the name is a folder. Combined with the other bits.
  public static let isFolder = FolderChange(rawValue: UInt32(IN_ISDIR))
  /// IN_IGNORED: the watch has ended, for example because its folder was removed. Always reported.
  public static let watchEnded = FolderChange(rawValue: UInt32(IN_IGNORED))
  /// IN_Q_OVERFLOW: events were lost. Always reported.
  public static let overflow = FolderChange(rawValue: UInt32(IN_Q_OVERFLOW))
}

/// One event of a watch.
public struct FolderEvent: Hashable, Sendable {
  /// The watch of the event; −1 for an overflow.
  public let watch: Int32
  public let change: FolderChange
  /// A number that both events of a rename share; else 0.
  public let cookie: UInt32
  /// Any bytes except 0 and "/"; empty if the event is about the watched folder itself.
  public let name: [UInt8]

  public init(watch: Int32, change: FolderChange, cookie: UInt32 = 0, name: [UInt8]) {
    self.watch = watch
    self.change = change
    self.cookie = cookie
    self.name = name
  }
}

/// An inotify instance. Any thread may add watches; one thread reads.
public struct Inotify: ~Copyable, Sendable {
  private let descriptor: FileDescriptor
  /// The descriptor to add to an `Epoll`. It is readable while events wait.
  public var number: Int32 { descriptor.number }

  /// The corresponding C function is `inotify_init1`. EMFILE if the user has no instance left.
  public init() throws(Errno) {
    descriptor = FileDescriptor(
      owning: try retrying("inotify_init1") { inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK)) })
  }

  /// Watches an open folder, even if its path has changed. Watching a watched folder again returns the same watch.
  /// ENOSPC if the user has no watch left. The corresponding C function is `inotify_add_watch`.
  public func watch(_ folder: borrowing Directory, _ changes: FolderChange) throws(Errno) -> Int32 {
    try retrying("inotify_add_watch", folder.path) {
      inotify_add_watch(
        descriptor.number, "/proc/self/fd/\(folder.descriptor.number)", changes.rawValue | UInt32(IN_ONLYDIR))
    }
  }

  /// Ends a watch. Does nothing if it has ended already. The corresponding C function is `inotify_rm_watch`.
  public func end(_ watch: Int32) { _ = inotify_rm_watch(descriptor.number, watch) }

  /// Returns waiting events, the oldest first, at most about a thousand; empty if there are none.
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

  /// The bytes of `struct inotify_event` before the name: watch, mask, cookie, length of the name.
  private static let headerBytes = 16
}

extension Errno {
  /// Whether the user's limit of watches or instances is reached, or memory is short: ENOSPC of `inotify_add_watch`,
  /// EMFILE of `inotify_init1`, ENOMEM.
  public var isWatchLimit: Bool { code == ENOSPC || code == EMFILE || code == ENOMEM }
}
