// The local networks of this machine: discovery sends questions there, and answers questions from there.
import Posix
import Wire

/// The interfaces that lead to a local network at one moment. Loopback and tunnels do not count.
struct LocalNetworks: Sendable {
  /// Returns the multicast group of an address family, to which questions are sent.
  static func group(isIPv4: Bool) -> Endpoint {
    Endpoint(ip: isIPv4 ? Discovery.groupIPv4 : Discovery.groupIPv6, port: Discovery.port)
  }

  /// More interfaces than a machine usually has. Each costs a socket.
  static let interfacesMax = 16

  private let interfaces: [NetworkInterface]

  init(_ all: [NetworkInterface]) { interfaces = all.filter(\.isLocalNetwork) }

  /// The local networks of this moment; none if the system cannot list them.
  static var current: LocalNetworks { LocalNetworks((try? NetworkInterface.all()) ?? []) }

  /// Returns the interfaces that can ask or answer with an address of this family.
  /// - `listener`: if given, only interfaces through which it accepts connections.
  func interfaces(isIPv4: Bool, listener: Endpoint? = nil) -> [NetworkInterface] {
    let able = interfaces.filter { interface in
      interface.addresses.contains { address in
        let own = Endpoint(ip: address.ip, port: 0)
        guard isIPv4 ? own.isIPv4 : own.isLinkLocal else { return false }
        guard let listener, !listener.isAny, !(listener.isAnyIPv4 && isIPv4) else { return true }
        return listener.ip == address.ip && (listener.scope == 0 || listener.scope == interface.index)
      }
    }
    return Array(able.prefix(LocalNetworks.interfacesMax))
  }

  /// Returns whether a datagram from this address came from one of these networks. Routers do not forward link-local
  /// addresses, and an IPv4 address must be in a network in which this machine has an address.
  func hold(_ address: Endpoint) -> Bool {
    guard address.port != 0, !address.isMulticast else { return false }
    guard address.isIPv4 else { return address.isLinkLocal && address.scope != 0 }
    return interfaces.contains { interface in
      interface.addresses.contains { $0.prefixBits > 96 && $0.isOfSameNetwork(address.ip) }
    }
  }
}
