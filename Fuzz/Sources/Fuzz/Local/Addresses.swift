// Hosts, ports and peers as users and files write them.
import PeerNode
import Posix
import Wire

enum Addresses {
  static let target = Target(
    "address",
    seeds: { _ in
      [
        "192.0.2.1:9800", "[::1]:9800", "host.example:1", "[fe80::1%2]:65535", "a:b:c", "[::]", ":1", "[x]:2",
        String(repeating: "ab", count: 32) + "@[2001:db8::1]:9800", "host.example", "[::1]", "::1",
      ].map { Array($0.utf8) }
    }, run)

  private static func run(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    if let host = HostPort(parsing: text, defaultPort: 9800) {
      require((1...253).contains(host.host.utf8.count), "a host is bounded")
      require(!host.host.utf8.contains { $0 <= 32 || $0 == 127 }, "a host has no blanks")
      require(HostPort(parsing: host.description) == host, "a host and port survive being written")
    }
    if let peer = PeerSource(parsing: text) {
      require(peer.host.port != 0, "a peer can be dialled")
      require(PeerSource(parsing: peer.description) == peer, "a peer survives being written")
    }
    if let address = Endpoint(numericHost: text, port: 1) {
      require(Endpoint(numericHost: address.host, port: 1) == address, "an address survives being written")
    }
  }
}
