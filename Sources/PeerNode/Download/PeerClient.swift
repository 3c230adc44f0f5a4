// The network side of a downloader: the configuration of its node, its peers, and its offer to other peers.
import Posix
import Wire

/// The peers that a `Downloader` asks, and the configuration of its node.
public struct PeerClient: Sendable {
  /// The peers to ask for every file, beside those that `configuration.discovery` finds.
  public var peers: [PeerSource]
  /// The node's identity, swarm, limits and discovery.
  public var configuration: NodeConfiguration
  /// How data is offered to other peers while a download runs and after it; nil: not at all.
  public var sharing: Sharing?

  /// By default: a fresh identity, no private swarm, no discovery and no sharing. Without discovery only the peers in
  /// `peers`, in a link and in a call are asked.
  public init(
    peers: [PeerSource] = [], configuration: NodeConfiguration = NodeConfiguration(), sharing: Sharing? = nil
  ) {
    self.peers = peers
    self.configuration = configuration
    self.sharing = sharing
  }
}

extension PeerSource {
  /// The most addresses used for one host of a link. With all its peers, a link dials at most 256.
  private static let addressesOfLinkMax = 16

  /// Makes a source from a peer that a link names.
  public init(_ peer: FileLink.Peer) {
    self.init(
      host: HostPort(host: peer.host, port: peer.port), pinned: peer.pinned,
      addressesMax: PeerSource.addressesOfLinkMax)
  }
}
