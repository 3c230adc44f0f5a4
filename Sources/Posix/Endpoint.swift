// IP addresses and ports: parsed, printed, resolved.
import CLinux
import Glibc

/// An IP address and a port. IPv4 is stored as `::ffff:a.b.c.d`, so that both spellings of one host are equal.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
  /// 16 bytes.
  public let ip: [UInt8]
  public let port: UInt16
  /// The interface number of a link-local IPv6 address, else 0.
  public let scope: UInt32

  public init(ip: [UInt8], port: UInt16, scope: UInt32 = 0) {
    precondition(ip.count == 16, "an address is 16 bytes")
    self.ip = ip
    self.port = port
    self.scope = scope
  }

  public init(ipv4: (UInt8, UInt8, UInt8, UInt8), port: UInt16) {
    self.init(ip: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ipv4.0, ipv4.1, ipv4.2, ipv4.3], port: port)
  }

  /// Parses a numeric address: `1.2.3.4`, `::1`, or `fe80::1%2` (with the number of the interface). Nil for any other
  /// text. The corresponding C function is `inet_pton`.
  public init?(numericHost host: some StringProtocol, port: UInt16) {
    let parts = host.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    let text = String(parts[0])
    guard !text.utf8.contains(0) else { return nil }
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET6, text, &bytes) == 1 {
      guard parts.count == 1 || parts[1].utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }),
        let scope = parts.count == 1 ? 0 : UInt32(parts[1])
      else { return nil }
      self.init(ip: bytes, port: port, scope: scope)
    } else if parts.count == 1, inet_pton(AF_INET, text, &bytes) == 1 {
      self.init(ipv4: (bytes[0], bytes[1], bytes[2], bytes[3]), port: port)
    } else {
      return nil
    }
  }

  /// `::`, which with `Socket.listening` means every address of both families.
  public static func any(port: UInt16) -> Endpoint {
    Endpoint(ip: Array(repeating: 0, count: 16), port: port)
  }

  public var isIPv4: Bool { ip[..<10].allSatisfy { $0 == 0 } && ip[10] == 255 && ip[11] == 255 }
  public var isAny: Bool { ip.allSatisfy { $0 == 0 } }

  /// The address as text, without the port.
  public var host: String {
    if isIPv4 { return ip[12...].map(String.init).joined(separator: ".") }
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    var bytes = ip
    inet_ntop(AF_INET6, &bytes, &text, socklen_t(text.count))
    let plain = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return scope == 0 ? plain : "\(plain)%\(scope)"
  }

  /// `1.2.3.4:9800` or `[fe80::1]:9800`.
  public var description: String { isIPv4 ? "\(host):\(port)" : "[\(host)]:\(port)" }

  /// Calls `body` with the address in the form of the socket calls.
  func withSockaddr<T>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
    if isIPv4 {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: ip[12...]) }
      return withUnsafePointer(to: address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
      }
    }
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = port.bigEndian
    address.sin6_scope_id = scope
    withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: ip) }
    return withUnsafePointer(to: address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
    }
  }

  /// Reads the address that a socket call filled in; nil for another address family.
  init?(_ storage: sockaddr_storage) {
    var copy = storage
    switch Int32(storage.ss_family) {
    case AF_INET:
      let address = withUnsafeBytes(of: &copy) { $0.loadUnaligned(as: sockaddr_in.self) }
      let bytes = withUnsafeBytes(of: address.sin_addr) { Array($0) }
      self.init(ipv4: (bytes[0], bytes[1], bytes[2], bytes[3]), port: UInt16(bigEndian: address.sin_port))
    case AF_INET6:
      let address = withUnsafeBytes(of: &copy) { $0.loadUnaligned(as: sockaddr_in6.self) }
      let bytes = withUnsafeBytes(of: address.sin6_addr) { Array($0) }
      self.init(ip: bytes, port: UInt16(bigEndian: address.sin6_port), scope: address.sin6_scope_id)
    default: return nil
    }
  }
}

extension Endpoint {
  /// Returns the address of this end of a socket. The corresponding C function is `getsockname`.
  static func local(of number: Int32) throws(Errno) -> Endpoint {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    _ = try retrying("getsockname") {
      withUnsafeMutablePointer(to: &storage) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(number, $0, &length) }
      }
    }
    guard let address = Endpoint(storage) else { throw Errno(code: EAFNOSUPPORT, call: "getsockname") }
    return address
  }
}

/// A host (a name, an IPv4 address, or an IPv6 address) and a port, as people write them: `HOST:PORT`, `[IPV6]:PORT`.
public struct HostPort: Hashable, Sendable, CustomStringConvertible {
  public let host: String
  public let port: UInt16

  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// Parses `HOST:PORT` or `[IPV6]:PORT`. Nil for any other form.
  /// - `defaultPort`: used if the text has no port.
  public init?(parsing text: String, defaultPort: UInt16? = nil) {
    // Works on bytes, since some characters form one grapheme with a ":" that follows them.
    var host = text.utf8[...]
    var port: Substring.UTF8View?
    if host.first == UInt8(ascii: "[") {
      guard let close = host.firstIndex(of: UInt8(ascii: "]")) else { return nil }
      let rest = host[host.index(after: close)...]
      guard rest.isEmpty || rest.first == UInt8(ascii: ":") else { return nil }
      port = rest.isEmpty ? nil : rest.dropFirst()
      host = host[host.index(after: host.startIndex)..<close]
      guard host.contains(UInt8(ascii: ":")) else { return nil }
    } else if let colon = host.firstIndex(of: UInt8(ascii: ":")) {
      // An IPv6 address needs brackets.
      guard !host[host.index(after: colon)...].contains(UInt8(ascii: ":")) else { return nil }
      port = host[host.index(after: colon)...]
      host = host[..<colon]
    }
    let isSound = host.allSatisfy { $0 > 32 && $0 < 127 || $0 >= 128 }
    guard !host.isEmpty, host.count <= 253, isSound else { return nil }
    if let port {
      let digits = port.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
      guard !port.isEmpty, digits, let number = UInt16(Substring(port)) else { return nil }
      self.port = number
    } else if let defaultPort {
      self.port = defaultPort
    } else {
      return nil
    }
    self.host = String(Substring(host))
  }

  public var description: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Why a host name has no addresses.
public struct ResolutionFailure: Error, Hashable, Sendable, CustomStringConvertible {
  public let host: String
  /// The error text of the resolver.
  public let reason: String

  public init(host: String, reason: String) {
    self.host = host
    self.reason = reason
  }

  public var description: String { "\(host): \(reason)" }
}

extension HostPort {
  /// Returns all addresses of the host, in the resolver's order, each once. Blocks while names are looked up.
  ///
  /// The corresponding C function is `getaddrinfo`.
  @available(*, noasync, message: "it blocks while names are looked up; use 'await resolve()'")
  package func resolve() throws(ResolutionFailure) -> [Endpoint] { try lookedUp(flags: AI_NUMERICSERV) }

  /// Returns all addresses of the host, in the resolver's order, each once.
  public func resolve() async throws(ResolutionFailure) -> [Endpoint] {
    try await Thread.blocking("p2p-lookup") { () throws(ResolutionFailure) in try self.lookedUp(flags: AI_NUMERICSERV) }
  }

  /// The address, if the host is not a name; else nil. Never blocks.
  ///
  /// The corresponding C function is `getaddrinfo` with AI_NUMERICHOST.
  public var address: Endpoint? { try? lookedUp(flags: AI_NUMERICSERV | AI_NUMERICHOST).first }

  private func lookedUp(flags: Int32) throws(ResolutionFailure) -> [Endpoint] {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = flags
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &list)
    guard code == 0 else { throw ResolutionFailure(host: host, reason: String(cString: gai_strerror(code))) }
    defer { freeaddrinfo(list) }
    var found: [Endpoint] = []
    var next = list
    while let entry = next?.pointee {
      var storage = sockaddr_storage()
      withUnsafeMutableBytes(of: &storage) {
        $0.copyMemory(from: UnsafeRawBufferPointer(start: entry.ai_addr, count: Int(entry.ai_addrlen)))
      }
      if let address = Endpoint(storage), !found.contains(address) { found.append(address) }
      next = entry.ai_next
    }
    guard !found.isEmpty else { throw ResolutionFailure(host: host, reason: "no addresses") }
    return found
  }
}
