// A server that is not a p2pnode, which a user reaches by mistyping a port.
import Foundation

/// The server runs while its workbench waits. It has no thread.
final class Impostor {
  enum Manner {
    /// Answers anything as a web server answers an invalid request, and closes.
    case http
    /// Sends back what it receives.
    case echo
    /// Sends a greeting first, as SSH does, and waits.
    case ssh
    /// Receives everything, sends nothing and closes.
    case silent
  }

  let address: String
  private let manner: Manner
  private let listener: Int32
  private var connections: Set<Int32> = []

  init(_ manner: Manner) throws {
    self.manner = manner
    let (listener, port) = try LocalPort.listening()
    self.listener = listener
    address = "127.0.0.1:\(port)"
  }

  /// The descriptors to poll, and what to do when each is readable.
  var sources: [(Int32, () -> Void)] {
    [(listener, { self.accept() })] + connections.map { connection in (connection, { self.answer(connection) }) }
  }

  private func accept() {
    let connection = Glibc.accept(listener, nil, nil)
    guard connection >= 0 else { return }
    _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
    connections.insert(connection)
    if manner == .ssh { say(Array("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n".utf8), to: connection) }
  }

  private func answer(_ connection: Int32) {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = recv(connection, &buffer, buffer.count, 0)
    guard count > 0 else { return leave(connection) }
    switch manner {
    case .http:
      say(Array("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8), to: connection)
      leave(connection)
    case .echo: say(Array(buffer[..<count]), to: connection)
    case .ssh: break
    case .silent: leave(connection)
    }
  }

  private func say(_ bytes: [UInt8], to connection: Int32) {
    send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }

  private func leave(_ connection: Int32) {
    connections.remove(connection)
    shutdown(connection, Int32(SHUT_RDWR))  // also ends the copy that a child started at this moment may hold
    close(connection)
  }

  func end() {
    for connection in connections { leave(connection) }
    close(listener)
  }
}

enum LocalPort {
  /// Makes a listening socket on a free port of 127.0.0.1.
  static func listening() throws -> (socket: Int32, port: UInt16) {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 16) == 0 && getsockname(listener, $0, &length) == 0
      }
    }
    guard isListening else { throw Unexpected("listen: \(String(cString: strerror(errno)))") }
    return (listener, UInt16(bigEndian: address.sin_port))
  }

  /// Returns a port of 127.0.0.1 without a listener. It is not reserved, but unlikely to be taken meanwhile.
  static func closed() throws -> UInt16 {
    let (listener, port) = try listening()
    close(listener)
    return port
  }
}
