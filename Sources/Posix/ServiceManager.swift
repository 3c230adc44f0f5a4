// The protocol of a service manager such as systemd: sockets that it hands over, and reports to it, as sd_listen_fds(3)
// and sd_notify(3) describe.
import CLinux
import Glibc

/// Why a handed-over socket cannot be used.
public enum HandedSocketError: Error, Hashable, Sendable, CustomStringConvertible {
  /// This number of sockets was handed over, but one is expected.
  case count(Int)
  /// It is not a listening TCP socket.
  case notListening

  public var description: String {
    switch self {
    case .count(let count): "LISTEN_FDS passes \(count) sockets, and p2pnode takes one"
    case .notListening: "the socket of LISTEN_FDS is not a listening TCP socket (use ListenStream=)"
    }
  }
}

public enum ServiceManager {
  /// The first handed-over descriptor.
  private static let firstDescriptor: Int32 = 3
  /// A copy of the handed-over socket, for `dropWaiting`.
  private static let kept: Int32? = {
    guard let owner = Environment.variable("LISTEN_PID"), owner == "\(getpid())", option(SO_ACCEPTCONN) == 1 else {
      return nil
    }
    let copy = fcntl(firstDescriptor, F_DUPFD_CLOEXEC, firstDescriptor + 1)
    guard copy >= 0 else { return nil }
    _ = fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) | O_NONBLOCK)
    return copy
  }()

  /// Keeps a copy of the handed-over socket. Call it before any other use of the socket.
  public static func keepHandedSocket() { _ = kept }

  /// Closes the connections that wait on the handed-over socket, if the process cannot serve them. As long as one
  /// waits, the manager starts the process again at once.
  public static func dropWaiting() {
    guard let kept else { return }
    // Bounded by the most that can wait on a socket, since new connections may come as fast as these are closed.
    for _ in 0..<65_536 {
      let number = accept4(kept, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
      guard number >= 0 else { return }
      close(number)
    }
  }

  /// Returns the listening socket that was handed to this process; nil if there was none. Called once, before threads
  /// start.
  ///
  /// The protocol is that of `sd_listen_fds`.
  public static func handedSocket() throws(HandedSocketError) -> Socket? {
    guard let owner = Environment.variable("LISTEN_PID"), owner == "\(getpid())",
      let count = Environment.variable("LISTEN_FDS").flatMap({ Int($0) }), count != 0
    else { return nil }
    guard count == 1 else { throw .count(count) }
    guard option(SO_TYPE) == Int32(SOCK_STREAM.rawValue), option(SO_ACCEPTCONN) == 1,
      [AF_INET, AF_INET6].contains(option(SO_DOMAIN))
    else { throw .notListening }
    _ = fcntl(firstDescriptor, F_SETFD, FD_CLOEXEC)
    _ = fcntl(firstDescriptor, F_SETFL, fcntl(firstDescriptor, F_GETFL) | O_NONBLOCK)
    return Socket(owning: firstDescriptor)
  }

  private static func option(_ name: Int32) -> Int32? {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(firstDescriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
  }

  /// Reports the state of this process to the manager, in lines such as `READY=1`. Does nothing without NOTIFY_SOCKET.
  ///
  /// The protocol is that of `sd_notify`.
  public static func notify(_ lines: String...) {
    guard let path = Environment.variable("NOTIFY_SOCKET") else { return }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var name = Array(path.utf8)
    let room = MemoryLayout.size(ofValue: address.sun_path)
    guard name.count < room, name[0] == UInt8(ascii: "/") || name[0] == UInt8(ascii: "@") else { return }
    if name[0] == UInt8(ascii: "@") { name[0] = 0 }  // the abstract namespace
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
    let number = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard number >= 0 else { return }
    defer { close(number) }
    let text = Array(lines.joined(separator: "\n").utf8)
    let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = sendto(number, text, text.count, Int32(MSG_NOSIGNAL), $0, length)
      }
    }
  }

  /// Reports that a reload has begun. `READY=1` ends it.
  public static func notifyReloading() {
    notify("RELOADING=1", "MONOTONIC_USEC=\(Clock.monotonicNanoseconds / 1_000)")
  }
}
