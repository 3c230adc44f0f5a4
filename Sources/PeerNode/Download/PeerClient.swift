// The network side of a downloader: the node that fetches, its peers, and the data that it gives to others.
import Posix
import Wire

/// The peers that a `Downloader` asks, and the node that asks them.
public struct PeerClient: Sendable {
  /// Asked for every file; those that `configuration.discovery` finds are asked as well.
  public var peers: [PeerSource]
  /// Identity, swarm, limits, discovery.
  public var configuration: NodeConfiguration
  /// The data that other peers get while a download runs and after it; nil: none.
  public var sharing: Sharing?

  /// By default a fresh identity in no private swarm, without discovery and without sharing. Without discovery only the peers of
  /// `peers`, of a link and of a call are asked.
  public init(
    peers: [PeerSource] = [], configuration: NodeConfiguration = NodeConfiguration(), sharing: Sharing? = nil
  ) {
    self.peers = peers
    self.configuration = configuration
    self.sharing = sharing
  }
}

extension PeerSource {
  /// Addresses that one host of a link is taken for: with all its peers, a link dials at most 256.
  private static let addressesOfLinkMax = 16

  /// A peer that a link names.
  public init(_ peer: FileLink.Peer) {
    self.init(
      host: HostPort(host: peer.host, port: peer.port), pinned: peer.pinned,
      addressesMax: PeerSource.addressesOfLinkMax)
  }
}
