// A plain TCP socket for tests. Each call blocks, but no longer than its bound.
import Glibc
import Posix

/// Why a wait on a socket failed.
package enum SocketEnd: Error, Hashable {
  case endOfStream
  /// The other end closed with unread bytes, or has crashed.
  case broken(Int32)
  /// Within the bound, nothing arrived or nothing was accepted.
  case timedOut
}

/// An end of a TCP connection, or a listener. Closed when its last owner releases it. Any thread may shut it down.
package final class BlockingSocket: Sendable {
  package static let boundSeconds = 10
  /// IP_BIND_ADDRESS_NO_PORT, which Swift does not import.
  package static let bindAddressNoPort: Int32 = 24
  /// The descriptor, for tests that poll sockets.
  package let number: Int32

  package init(owning number: Int32) {
    self.number = number
    var bound = timeval(tv_sec: BlockingSocket.boundSeconds, tv_usec: 0)
    setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &bound, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &bound, socklen_t(MemoryLayout<timeval>.size))
    var one: Int32 = 1
    setsockopt(number, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
  }

  deinit { close(number) }

  /// Connects. The test may choose the local address (16 bytes, IPv4-mapped).
  package convenience init(dialling address: Endpoint, from ip: [UInt8]? = nil) throws {
    self.init(owning: socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
    if let ip {
      // The kernel chooses the port at `connect`, so one port can serve several destinations.
      var one: Int32 = 1
      setsockopt(number, Int32(IPPROTO_IP), BlockingSocket.bindAddressNoPort, &one, 4)
      try check(BlockingSocket.withAddress(ip, 0) { bind(number, $0, $1) })
    }
    try check(BlockingSocket.withAddress(address.ip, address.port) { connect(number, $0, $1) })
  }

  /// Listens on a free port of 127.0.0.1, or of all of 127.0.0.0/8.
  package convenience init(listeningOnAll: Bool = false) throws {
    try self.init(
      listeningAt: Array(repeating: 0, count: 12) + (listeningOnAll ? [0, 0, 0, 0] : [127, 0, 0, 1]))
  }

  /// Listens on a free port of a local address (16 bytes, IPv4-mapped).
  package convenience init(listeningAt ip: [UInt8]) throws {
    self.init(owning: socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
    try check(BlockingSocket.withAddress(ip, 0) { bind(number, $0, $1) })
    try check(listen(number, 128))
  }

  /// The local port.
  package var port: UInt16 {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
      _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(number, $0, &length) }
    }
    return UInt16(bigEndian: address.sin_port)
  }

  /// Returns the next connection, or nil after the listener was shut down. Waits without a bound.
  package func accept() -> BlockingSocket? {
    while true {
      let accepted = Glibc.accept(number, nil, nil)
      if accepted >= 0 {
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        return BlockingSocket(owning: accepted)
      }
      if errno != EINTR && errno != EAGAIN { return nil }
    }
  }

  /// Whether bytes or the end of the stream can be received.
  package var isReadable: Bool {
    var wait = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
    return poll(&wait, 1, 0) > 0
  }

  /// Sets the size of the kernel's receive buffer. A small one soon fills if unread, and is slow otherwise.
  package func limitReceiveBuffer(bytes: Int32) {
    var bytes = bytes
    setsockopt(number, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Shuts down both directions. This ends any wait on them.
  package func shutDown() { shutdown(number, Int32(SHUT_RDWR)) }
  package func finishSending() { shutdown(number, Int32(SHUT_WR)) }

  package func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(number, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw BlockingSocket.end() }
      sent += count
    }
  }

  /// Sends bytes until none is accepted for `patienceMilliseconds`. Returns how many were sent.
  package func sendUntilStuck(_ bytes: [UInt8], patienceMilliseconds: Int32) throws -> Int {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(number, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
      }
      if count > 0 {
        sent += count
        continue
      }
      guard errno == EAGAIN else { throw BlockingSocket.end() }
      var wait = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
      if poll(&wait, 1, patienceMilliseconds) == 0 { return sent }
    }
    return sent
  }

  /// Receives at least one byte and at most `count`.
  package func receive(upTo count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let received = recv(number, &bytes, count, 0)
    if received == 0 { throw SocketEnd.endOfStream }
    guard received > 0 else { throw BlockingSocket.end() }
    return Array(bytes.prefix(received))
  }

  package func receive(exactly count: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count { bytes += try receive(upTo: count - bytes.count) }
    return bytes
  }

  /// Drops all received bytes without waiting, and returns their number. Throws at the end of the stream.
  package func discardReceived() throws -> Int {
    var dropped = 0
    while true {
      // MSG_TRUNC makes the kernel drop the bytes, so nothing is copied.
      let count = recv(number, nil, 1 << 20, Int32(MSG_DONTWAIT | MSG_TRUNC))
      if count == 0 { throw SocketEnd.endOfStream }
      if count < 0 {
        if errno == EAGAIN { return dropped }
        throw BlockingSocket.end()
      }
      dropped += count
    }
  }

  /// Receives everything up to the end of the stream. A reset counts as the end.
  package func receiveToEnd() throws -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
      do { bytes += try receive(upTo: 64 << 10) } catch SocketEnd.timedOut { throw SocketEnd.timedOut } catch {
        return bytes
      }
    }
  }

  private func check(_ result: Int32) throws {
    if result != 0 { throw SocketEnd.broken(errno) }
  }

  private static func end() -> SocketEnd {
    let code = errno
    return code == EAGAIN || code == EINPROGRESS ? .timedOut : .broken(code)
  }

  /// Passes an IPv4 address (the last 4 of 16 bytes) to a system call.
  package static func withAddress(
    _ ip: [UInt8], _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: ip[12...]) }
    return withUnsafePointer(to: address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
  }
}

extension Endpoint {
  package static func loopback(_ port: UInt16, last: UInt8 = 1) -> Endpoint {
    Endpoint(ipv4: (127, 0, 0, last), port: port)
  }
}

/// Calls `onFire` unless it is released within the bound, so that a test fails instead of hanging.
package final class Watchdog {
  private let ends: (Int32, Int32)
  private let thread: Posix.Thread

  package init(seconds: Int, _ onFire: @escaping @Sendable () -> Void) {
    var pipes: [Int32] = [0, 0]
    precondition(pipe(&pipes) == 0, "no pipe")
    ends = (pipes[0], pipes[1])
    let reading = pipes[0]
    thread = Posix.Thread.start(name: "watchdog") {
      var wait = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
      if poll(&wait, 1, Int32(seconds * 1000)) == 0 { onFire() }
    }
  }

  deinit {
    close(ends.1)
    thread.join()
    close(ends.0)
  }
}
