// Lets one thread wake another one that waits in epoll.
import CLinux
import Glibc

/// An eventfd. Any thread may call `signal`; the thread that waits on `number` calls `clear`.
public struct WakeUp: ~Copyable, Sendable {
  private let descriptor: FileDescriptor
  /// The descriptor to add to an `Epoll`.
  public var number: Int32 { descriptor.number }

  public init() throws(Errno) {
    descriptor = FileDescriptor(
      owning: try retrying("eventfd") { eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK)) })
  }

  /// Makes the descriptor readable.
  public func signal() {
    var one: UInt64 = 1
    _ = write(descriptor.number, &one, 8)  // fails only if it is readable already
  }

  /// Makes the descriptor unreadable until the next `signal`.
  public func clear() {
    var count: UInt64 = 0
    _ = read(descriptor.number, &count, 8)
  }
}
