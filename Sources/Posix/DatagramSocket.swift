// UDP sockets for the local network. They join multicast groups per interface, send only on the link, and never block.
import CLinux
import Glibc

/// A UDP socket with one owner, of one address family. Non-blocking, close-on-exec, with a hop limit of 1 for what it
/// sends.
public struct DatagramSocket: ~Copyable, Sendable {
  private let descriptor: FileDescriptor
  private let isIPv4: Bool
  /// The descriptor to add to an `Epoll`.
  public var number: Int32 { descriptor.number }

  /// Makes a socket that is bound to an address of this machine or to a multicast group. `0.0.0.0` and `::` mean all
  /// addresses of their family, and port 0 means any port. Several sockets may share the port of a group: each then
  /// receives only datagrams for the group, through interfaces on which it joined. A link-local IPv6 group needs its
  /// interface as the scope.
  ///
  /// The corresponding C functions are `socket`, `setsockopt` and `bind`.
  public static func bound(to address: Endpoint) throws(Errno) -> DatagramSocket {
    let isIPv4 = address.isIPv4
    let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let family = isIPv4 ? AF_INET : AF_INET6
    let number = try retrying("socket", address.description) { Glibc.socket(family, kind, 0) }
    let socket = DatagramSocket(descriptor: FileDescriptor(owning: number), isIPv4: isIPv4)
    if isIPv4 {
      try socket.set(Int32(IPPROTO_IP), IP_MULTICAST_TTL, 1)
      try socket.set(Int32(IPPROTO_IP), IP_TTL, 1)
      try socket.set(Int32(IPPROTO_IP), IP_MULTICAST_ALL, 0)
    } else {
      try socket.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1)
      try socket.set(Int32(IPPROTO_IPV6), IPV6_MULTICAST_HOPS, 1)
      try socket.set(Int32(IPPROTO_IPV6), IPV6_UNICAST_HOPS, 1)
      try socket.set(Int32(IPPROTO_IPV6), IPV6_MULTICAST_ALL, 0)
    }
    if address.isMulticast { try socket.set(SOL_SOCKET, SO_REUSEADDR, 1) }
    _ = try retrying("bind", address.description) { address.withSockaddr { bind(number, $0, $1) } }
    return socket
  }

  /// Joins a group on an interface, to receive its datagrams. Joining twice is no error.
  ///
  /// The corresponding C function is `setsockopt` with IP_ADD_MEMBERSHIP or IPV6_JOIN_GROUP.
  public func join(_ group: Endpoint, interface: UInt32) throws(Errno) {
    precondition(group.isIPv4 == isIPv4, "a group of the socket's family")
    do throws(Errno) {
      if isIPv4 {
        var request = ip_mreqn()
        withUnsafeMutableBytes(of: &request.imr_multiaddr) { $0.copyBytes(from: group.ip[12...]) }
        request.imr_ifindex = Int32(bitPattern: interface)
        try set(Int32(IPPROTO_IP), IP_ADD_MEMBERSHIP, to: request)
      } else {
        var request = ipv6_mreq()
        withUnsafeMutableBytes(of: &request.ipv6mr_multiaddr) { $0.copyBytes(from: group.ip) }
        request.ipv6mr_interface = interface
        try set(Int32(IPPROTO_IPV6), IPV6_JOIN_GROUP, to: request)
      }
    } catch {
      if error.code != EADDRINUSE { throw error }
    }
  }

  /// Sends one datagram to a group through this interface.
  ///
  /// The corresponding C functions are `setsockopt` with IP_MULTICAST_IF or IPV6_MULTICAST_IF, and `sendto`.
  public func send(_ bytes: [UInt8], to group: Endpoint, interface: UInt32) throws(Errno) {
    precondition(group.isIPv4 == isIPv4, "a group of the socket's family")
    if isIPv4 {
      var request = ip_mreqn()
      request.imr_ifindex = Int32(bitPattern: interface)
      try set(Int32(IPPROTO_IP), IP_MULTICAST_IF, to: request)
    } else {
      try set(Int32(IPPROTO_IPV6), IPV6_MULTICAST_IF, Int32(bitPattern: interface))
    }
    try send(bytes, to: group)
  }

  /// Sends one datagram. If the system has no room for it, it is lost without an error.
  ///
  /// The corresponding C function is `sendto`.
  public func send(_ bytes: [UInt8], to address: Endpoint) throws(Errno) {
    let number = self.number
    _ = try retryingUnlessBlocked("sendto", address.description) {
      address.withSockaddr { sendto(number, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, $1) }
    }
  }

  /// Returns the next datagram and its sender; nil if there is none now. A datagram longer than `byteCountMax` is cut
  /// to one byte more than that, so that the caller can recognise it. Errors caused by earlier datagrams are skipped.
  ///
  /// The corresponding C function is `recvfrom`.
  public func receive(byteCountMax: Int) throws(Errno) -> (bytes: [UInt8], from: Endpoint)? {
    var bytes = [UInt8](repeating: 0, count: byteCountMax + 1)
    while true {
      var storage = sockaddr_storage()
      var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
      let count = withUnsafeMutablePointer(to: &storage) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { recvfrom(number, &bytes, bytes.count, 0, $0, &length) }
      }
      if count == -1 {
        let code = errno
        if code == EINTR || code == ECONNREFUSED || code == EHOSTUNREACH || code == ENETUNREACH { continue }
        if code == EAGAIN { return nil }
        throw Errno(code: code, call: "recvfrom")
      }
      guard let address = Endpoint(storage) else { continue }
      return (Array(bytes[..<count]), address)
    }
  }

  /// The address of this end. The corresponding C function is `getsockname`.
  public func localAddress() throws(Errno) -> Endpoint { try .local(of: number) }

  private func set(_ level: Int32, _ option: Int32, _ value: Int32) throws(Errno) {
    try set(level, option, to: value)
  }

  private func set<Value>(_ level: Int32, _ option: Int32, to value: Value) throws(Errno) {
    var value = value
    let number = self.number
    _ = try retrying("setsockopt") {
      withUnsafeBytes(of: &value) { setsockopt(number, level, option, $0.baseAddress, socklen_t($0.count)) }
    }
  }
}

extension Endpoint {
  /// Whether it is a multicast group, of either family.
  public var isMulticast: Bool { isIPv4 ? ip[12] & 0xF0 == 0xE0 : ip[0] == 0xFF }
  /// `0.0.0.0`: every IPv4 address.
  public var isAnyIPv4: Bool { isIPv4 && ip[12...].allSatisfy { $0 == 0 } }
}
