// Settings of discovery, by which nodes find peers that no user named, and the result of a search.

/// The places where a node looks for peers and can be found. A node without such settings does neither.
public struct DiscoverySettings: Hashable, Sendable {
  /// Whether the node asks and answers on its local networks by multicast.
  public var multicast: Bool
  /// The folder in which the nodes of this user on this machine announce themselves; made with mode 0700 if missing.
  /// Nil: no such search.
  public var localNodesFolder: String?

  /// The caller chooses both kinds of search: no default sends anything to a network.
  public init(multicast: Bool, localNodesFolder: String?) {
    self.multicast = multicast
    self.localNodesFolder = localNodesFolder
  }

  /// How long a download without a named peer searches before it ends: five rounds of questions.
  static let searchTime = Duration.seconds(5)
  /// How long a download whose named peers all fail waits for the search before it ends: two rounds.
  static let searchTimeWithPeers = Duration.milliseconds(500)
  /// How long named peers have before the network is asked. If there are enough of them, which a handshake shows, the
  /// network is not asked, and no answers interrupt their first pieces.
  static let namedPeersTime = Duration.milliseconds(100)
}

/// The result of a search when the download stopped waiting for it.
public struct DiscoverySummary: Hashable, Sendable {
  /// The number of this user's nodes on this machine, with or without the file.
  public let localNodes: Int
  /// The names of the interfaces whose networks were asked; nil: multicast is off.
  public let interfaces: [String]?
  /// The number of addresses found in all.
  public let found: Int
}
