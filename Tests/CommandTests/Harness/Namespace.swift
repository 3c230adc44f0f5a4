// Private networks: network namespaces joined by a virtual wire. They end with their processes.
import Foundation

/// A network namespace that lasts as long as its holder runs. Its loopback is up.
struct Namespace {
  let holder: Child

  /// A prefix for commands that run in the namespace, with multicast allowed.
  var inside: [String] {
    ["nsenter", "--target", "\(holder.pid ?? 0)", "--net", "env", "P2PNODE_LAN=on"]
  }

  /// Whether this machine allows network namespaces.
  static let isPossible: Bool = {
    let workbench = Workbench()
    return (try? workbench.namespaces(joinedBy: [.ipv4, .ipv6])) != nil
  }()

  enum Family { case ipv4, ipv6 }
}

extension Workbench {
  /// Makes two namespaces, joined by a wire with addresses of only these families.
  func namespaces(joinedBy families: [Namespace.Family]) throws -> (Namespace, Namespace) {
    let (one, other) = (try namespace(), try namespace())
    try must(
      one, "ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", "\(other.holder.pid ?? 0)")
    for (number, namespace) in [(1, one), (2, other)] {
      // Set the IPv6 addresses ourselves, usable at once.
      try must(namespace, "ip", "link", "set", "wire", "addrgenmode", "none")
      if families.contains(.ipv4) { try must(namespace, "ip", "addr", "add", "10.77.0.\(number)/24", "dev", "wire") }
      try must(namespace, "ip", "link", "set", "wire", "up")
      if families.contains(.ipv6) {
        try must(namespace, "ip", "addr", "add", "fe80::\(number)/64", "dev", "wire", "nodad")
      }
    }
    return (one, other)
  }

  private func namespace() throws -> Namespace {
    let holder = try start(
      "unshare", ["--net", "sh", "-c", "ip link set lo up && echo held && exec tail -f /dev/null"])
    try line(of: holder, on: .stdout, with: "held")
    return Namespace(holder: holder)
  }

  /// Runs a command in a namespace. Throws unless it succeeds.
  func must(_ namespace: Namespace, _ command: String...) throws {
    let child = try ended(try start(namespace.inside[0], Array(namespace.inside[1...]) + command))
    guard child.code == 0 else { throw Unexpected("\(child)") }
  }
}
