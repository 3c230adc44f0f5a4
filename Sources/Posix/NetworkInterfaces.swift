// The addresses of this machine's network interfaces, and which of them others can dial.
import Glibc

public enum NetworkInterfaces {
  /// Returns the IP addresses of all interfaces that are up, in the system's order, each once, with port 0. The
  /// corresponding C function is `getifaddrs`.
  public static func addresses() throws(Errno) -> [Endpoint] {
    var list: UnsafeMutablePointer<ifaddrs>?
    _ = try retrying("getifaddrs") { getifaddrs(&list) }
    defer { freeifaddrs(list) }
    var found: [Endpoint] = []
    var next = list
    while let entry = next?.pointee {
      next = entry.ifa_next
      guard entry.ifa_flags & UInt32(IFF_UP) != 0, let raw = entry.ifa_addr else { continue }
      let byteCount =
        switch Int32(raw.pointee.sa_family) {
        case AF_INET: MemoryLayout<sockaddr_in>.size
        case AF_INET6: MemoryLayout<sockaddr_in6>.size
        default: 0
        }
      guard byteCount > 0 else { continue }
      var storage = sockaddr_storage()
      withUnsafeMutableBytes(of: &storage) {
        $0.copyMemory(from: UnsafeRawBufferPointer(start: raw, count: byteCount))
      }
      if let address = Endpoint(storage), !found.contains(address) { found.append(address) }
    }
    return found
  }
}

extension Endpoint {
  /// Returns the same address with another port.
  public func with(port: UInt16) -> Endpoint { Endpoint(ip: ip, port: port, scope: scope) }

  /// Whether it means every address of one or both families. A node can listen on it, but no node can dial it.
  public var isWildcard: Bool { isAny || isIPv4 && ip[12...].allSatisfy { $0 == 0 } }

  /// Whether it is in 127.0.0.0/8, or `::1`.
  public var isLoopback: Bool { isIPv4 ? ip[12] == 127 : ip[15] == 1 && ip[..<15].allSatisfy { $0 == 0 } }

  /// Whether it is in 169.254.0.0/16 or fe80::/10: valid on one link only. For IPv6 the dialling machine must also name
  /// its interface.
  public var isLinkLocal: Bool {
    isIPv4 ? ip[12] == 169 && ip[13] == 254 : ip[0] == 0xFE && ip[1] & 0xC0 == 0x80
  }

  /// Returns the addresses at which others can dial a listener of this machine: its own address. For a wildcard, the
  /// addresses of the interfaces that others can reach; if there are none, the loopback address.
  ///
  /// - `interfaces`: the result of `NetworkInterfaces.addresses`.
  public func dialable(interfaces: [Endpoint]) -> [Endpoint] {
    guard isWildcard else { return [self] }
    let own = interfaces.filter { (isAny || $0.isIPv4) && !$0.isLoopback && !$0.isLinkLocal && !$0.isWildcard }
    let loopback = Endpoint(ipv4: (127, 0, 0, 1), port: port)
    return own.isEmpty ? [loopback] : own.map { $0.with(port: port) }
  }
}
