// How a node finds others that were not named, and is found; and the result of a search, for people to read.

/// The places where a node looks for peers and can be found. A node without such settings does neither.
public struct DiscoverySettings: Hashable, Sendable {
  /// Whether the local networks are asked, and answered, by multicast.
  public var multicast: Bool
  /// Where the nodes of this user on this machine name themselves; made with mode 0700 if missing. Nil: nowhere.
  public var localNodesFolder: String?

  /// Both kinds of search are chosen by the caller; there is no default that talks to a network.
  public init(multicast: Bool, localNodesFolder: String?) {
    self.multicast = multicast
    self.localNodesFolder = localNodesFolder
  }

  /// How long a download without a named peer looks for peers before it gives up: five rounds of questions.
  static let searchTime = Duration.seconds(5)
  /// How long the search delays the failure of a download whose named peers are all of no use: two rounds.
  static let searchTimeWithPeers = Duration.milliseconds(500)
  /// The time that named peers have before the network is asked. If they are enough, which is known a handshake later,
  /// the network need not be asked, and its answers do not interrupt their first pieces.
  static let namedPeersTime = Duration.milliseconds(100)
}

/// The result of a search when the download stopped waiting for it.
public struct DiscoverySummary: Hashable, Sendable {
  /// Nodes of this user that run on this machine, with or without the file.
  public let localNodes: Int
  /// The networks that were asked, by the names of their interfaces; nil: asking is off.
  public let interfaces: [String]?
  /// How many hints all of it gave.
  public let found: Int
}
