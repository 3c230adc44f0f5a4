// TCP sockets that never block: nil means that a call would block, and zero bytes mean the end of the stream.
import CLinux
import Glibc

/// A TCP socket with one owner. Non-blocking, close-on-exec, without Nagle's delay.
public struct Socket: ~Copyable, Sendable {
  private let descriptor: FileDescriptor
  /// The descriptor to add to an `Epoll`.
  public var number: Int32 { descriptor.number }

  /// Takes over a descriptor from `accepting`, perhaps on another thread.
  public init(owning number: Int32) { descriptor = FileDescriptor(owning: number) }

  /// Gives the descriptor away without closing it.
  public consuming func release() -> Int32 { descriptor.release() }

  /// Makes a listening socket. `::` means both address families, or only IPv4 if the system has no IPv6.
  ///
  /// The corresponding C functions are `socket`, `bind` and `listen`.
  public static func listening(on address: Endpoint, backlog: Int32 = 1024) throws(Errno) -> Socket {
    let socket: Socket
    do {
      socket = try make(family: address.isIPv4 ? AF_INET : AF_INET6, address)
    } catch {
      guard address.isAny, error.code == EAFNOSUPPORT else { throw error }
      return try listening(on: Endpoint(ipv4: (0, 0, 0, 0), port: address.port), backlog: backlog)
    }
    try socket.set(SOL_SOCKET, SO_REUSEADDR, 1)
    if !address.isIPv4 { try socket.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, address.isAny ? 0 : 1) }
    let number = socket.number
    _ = try retrying("bind", address.description) { address.withSockaddr { bind(number, $0, $1) } }
    _ = try retrying("listen", address.description) { listen(number, backlog) }
    return socket
  }

  /// Limits the unsent bytes in the kernel: at this number it accepts no more. A system that does not support this
  /// ignores it. The corresponding C function is `setsockopt` with TCP_NOTSENT_LOWAT.
  public func limitUnsent(to byteCount: Int) {
    let tcpNotsentLowat: Int32 = 25  // from <linux/tcp.h>
    try? set(Int32(IPPROTO_TCP), tcpNotsentLowat, Int32(clamping: byteCount))
  }

  /// Starts to connect. When that has ended, the socket is writable, and `pendingError` returns the result.
  ///
  /// The corresponding C functions are `socket` and `connect`.
  public static func connecting(to address: Endpoint) throws(Errno) -> Socket {
    let socket = try make(family: address.isIPv4 ? AF_INET : AF_INET6, address)
    try socket.set(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    let number = socket.number
    let result = address.withSockaddr { connect(number, $0, $1) }
    if result == -1 {
      let code = errno
      if code != EINPROGRESS && code != EINTR { throw Errno(code: code, call: "connect", subject: address.description) }
    }
    return socket
  }

  /// Returns the next connection and its address; nil if there is none now.
  ///
  /// The corresponding C function is `accept4`. A connection that ended before it was accepted is skipped.
  public func accepting() throws(Errno) -> (socket: Int32, from: Endpoint)? {
    while true {
      var storage = sockaddr_storage()
      var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
      let accepted = withUnsafeMutablePointer(to: &storage) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          accept4(number, $0, &length, Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue))
        }
      }
      if accepted == -1 {
        let code = errno
        if code == EINTR || code == ECONNABORTED { continue }
        if code == EAGAIN { return nil }
        throw Errno(code: code, call: "accept4")
      }
      var one: Int32 = 1
      setsockopt(accepted, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
      guard let address = Endpoint(storage) else {
        close(accepted)
        continue
      }
      return (accepted, address)
    }
  }

  /// Returns the number of bytes received: 0 at the end of the stream, nil if there are none now.
  ///
  /// The corresponding C function is `recv`.
  public func receive(into bytes: inout MutableRawSpan) throws(Errno) -> Int? {
    let number = self.number
    return try bytes.withUnsafeMutableBytes { buffer throws(Errno) in
      try retryingUnlessBlocked("recv") { recv(number, buffer.baseAddress, buffer.count, 0) }
    }
  }

  /// Returns the number of bytes that the kernel took; nil if it has no room now.
  ///
  /// The corresponding C function is `send`.
  public func send(_ bytes: RawSpan) throws(Errno) -> Int? {
    let number = self.number
    return try bytes.withUnsafeBytes { buffer throws(Errno) in
      try retryingUnlessBlocked("send") { Glibc.send(number, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL)) }
    }
  }

  /// Ends the sending direction. Bytes that were sent still arrive.
  ///
  /// The corresponding C function is `shutdown(SHUT_WR)`.
  public func finishSending() { shutdown(number, Int32(SHUT_WR)) }

  /// Returns and clears the error of a connect or a transfer; nil: none.
  ///
  /// The corresponding C function is `getsockopt(SO_ERROR)`.
  public func pendingError(_ call: String, _ subject: @autoclosure () -> String) -> Errno? {
    var code: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(number, SOL_SOCKET, SO_ERROR, &code, &length)
    return code == 0 ? nil : Errno(code: code, call: call, subject: subject())
  }

  /// Returns the address of this end. The corresponding C function is `getsockname`.
  public func localAddress() throws(Errno) -> Endpoint { try .local(of: number) }

  private static func make(family: Int32, _ address: Endpoint) throws(Errno) -> Socket {
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    return Socket(owning: try retrying("socket", address.description) { socket(family, kind, 0) })
  }

  private func set(_ level: Int32, _ option: Int32, _ value: Int32) throws(Errno) {
    var value = value
    _ = try retrying("setsockopt") {
      setsockopt(number, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
  }
}
