// Waits for many descriptors at once. Events carry the caller's token, never a descriptor, so that the caller
// recognises stale events of a descriptor that was closed and whose number was reused.
import CLinux
import Glibc

/// The events to wait for, or that have occurred.
public struct Readiness: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  /// Bytes, a connection, or the end of the stream can be read.
  public static let readable = Readiness(rawValue: EPOLLIN.rawValue)
  /// There is room to send, or a connect has ended.
  public static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
  /// The other end closed or reset the connection. Always reported.
  public static let hangUp = Readiness(rawValue: EPOLLHUP.rawValue | EPOLLERR.rawValue)
}

/// An epoll instance. One thread waits on it.
public struct Epoll: ~Copyable {
  private let descriptor: FileDescriptor
  private var events: [epoll_event]

  /// - `capacity`: the most events of one `wait`.
  public init(capacity: Int = 256) throws(Errno) {
    descriptor = FileDescriptor(owning: try retrying("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) })
    events = Array(repeating: epoll_event(), count: capacity)
  }

  /// The corresponding C function is `epoll_ctl(EPOLL_CTL_ADD)`.
  public func add(_ number: Int32, token: UInt64, _ interest: Readiness) throws(Errno) {
    try control(EPOLL_CTL_ADD, number, token, interest)
  }

  /// The corresponding C function is `epoll_ctl(EPOLL_CTL_MOD)`.
  public func modify(_ number: Int32, token: UInt64, _ interest: Readiness) throws(Errno) {
    try control(EPOLL_CTL_MOD, number, token, interest)
  }

  /// The corresponding C function is `epoll_ctl(EPOLL_CTL_DEL)`.
  public func remove(_ number: Int32) throws(Errno) {
    try control(EPOLL_CTL_DEL, number, 0, [])
  }

  /// Waits at most `milliseconds` (−1: no limit, 0: no wait), and calls `body` for each event.
  public mutating func wait(milliseconds: Int32, _ body: (UInt64, Readiness) -> Void) throws(Errno) {
    let number = descriptor.number
    let capacity = Int32(events.count)
    let count = try retrying("epoll_wait") {
      let result = epoll_wait(number, &events, capacity, milliseconds)
      return result == -1 && errno == EINTR ? 0 : result  // the caller's timers may be due
    }
    for i in 0..<Int(count) { body(events[i].data.u64, Readiness(rawValue: events[i].events)) }
  }

  private func control(_ operation: Int32, _ number: Int32, _ token: UInt64, _ interest: Readiness) throws(Errno) {
    var event = epoll_event(events: interest.rawValue, data: epoll_data_t(u64: token))
    _ = try retrying("epoll_ctl") { epoll_ctl(descriptor.number, operation, number, &event) }
  }
}
