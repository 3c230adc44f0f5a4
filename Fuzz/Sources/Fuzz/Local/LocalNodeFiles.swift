// The files with which nodes on one machine announce themselves. Any process of the user can write one.
import Posix

@testable import PeerNode

enum LocalNodeFiles {
  static let target = Target(
    "local-node",
    seeds: { _ in
      let peer = "peer " + String(repeating: "ab", count: 32) + "\n"
      return [
        "p2pnode-node 1\n\(peer)address 127.0.0.1 9800\n",
        "p2pnode-node 1\n\(peer)address ::1 1\naddress fe80::1%2 65535\n", "p2pnode-node 2\n\(peer)",
        "p2pnode-node 1\n",
      ].map { Array($0.utf8) }
    }, run)

  private static func run(_ bytes: [UInt8]) {
    guard let node = LocalNodes.decode(bytes) else { return }
    require(bytes.count <= LocalNodes.fileBytesMax, "a file is short")
    require((1...LocalNodes.addressesMax).contains(node.addresses.count), "a node has a few addresses")
    require(node.addresses.allSatisfy { $0.port != 0 && !$0.isMulticast }, "an address can be dialled")
    require(LocalNodes.decode(LocalNodes.encode(node)) == node, "a node survives being written")
  }
}
