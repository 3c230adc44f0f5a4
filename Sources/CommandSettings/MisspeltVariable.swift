// A variable of the environment whose name is nearly that of a setting: it would have no effect, and nothing would say so.

/// A misspelt variable and the one that it probably stands for.
package struct MisspeltVariable: Equatable, Sendable {
  private static let prefix = "P2PNODE_"
  /// All that this program reads, and those that `get --exec` hands to its program.
  private static let known = SettingKey.allCases.map(\.variable) + ["HOME", "PEERS", "ID", "PATH"].map { prefix + $0 }

  package let name: String
  package let meant: String

  /// Nil: this program reads the variable, or its name is near none, or Kubernetes sets it.
  package init?(_ name: String) {
    guard name.hasPrefix(Self.prefix), !Self.known.contains(name), !Self.isOfKubernetes(name) else { return nil }
    func tail(_ name: String) -> String { String(name.dropFirst(Self.prefix.count)) }
    guard let meant = Misspelling.guess(for: tail(name), among: Self.known.map(tail)) else { return nil }
    (self.name, self.meant) = (name, Self.prefix + meant)
  }

  /// Whether Kubernetes makes the name for a service that is called `p2pnode` or `p2pnode-…`: `P2PNODE_SERVICE_HOST`,
  /// `P2PNODE_SERVICE_PORT_WIRE`, `P2PNODE_PORT`, `P2PNODE_PORT_9800_TCP_ADDR`.
  private static func isOfKubernetes(_ name: String) -> Bool {
    let parts = name.split(separator: "_", omittingEmptySubsequences: false)
    guard parts.last != "PORT" else { return true }
    return parts.indices.dropLast().contains { i in
      parts[i] == "SERVICE" && (parts[i + 1] == "HOST" || parts[i + 1] == "PORT")
        || parts[i] == "PORT" && !parts[i + 1].isEmpty && parts[i + 1].allSatisfy(\.isNumber)
    }
  }
}
