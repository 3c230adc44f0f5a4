// The networks that this machine is on: it sends its questions there, and answers questions from there.
import Posix
import Wire

/// The interfaces of a moment that lead to a local network: no loopback, no tunnel.
struct LocalNetworks: Sendable {
  /// Where a family's questions are sent to.
  static func group(isIPv4: Bool) -> Endpoint {
    Endpoint(ip: isIPv4 ? Discovery.groupIPv4 : Discovery.groupIPv6, port: Discovery.port)
  }

  /// More than a machine has on purpose; each is a socket.
  static let interfacesMax = 16

  private let interfaces: [NetworkInterface]

  init(_ all: [NetworkInterface]) { interfaces = all.filter(\.isLocalNetwork) }

  /// Those of now; none where the system does not say.
  static var current: LocalNetworks { LocalNetworks((try? NetworkInterface.all()) ?? []) }

  /// Interfaces with an address of this family that can be asked or answered from. `listener`: only those through which
  /// it accepts connections.
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

  /// Whether a datagram from there came from one of these networks: no router passes on a link-local address, and an
  /// IPv4 address must be of a network that this machine has an address in.
  func hold(_ address: Endpoint) -> Bool {
    guard address.port != 0, !address.isMulticast else { return false }
    guard address.isIPv4 else { return address.isLinkLocal && address.scope != 0 }
    return interfaces.contains { interface in
      interface.addresses.contains { $0.prefixBits > 96 && $0.isOfSameNetwork(address.ip) }
    }
  }
}
