// The network's side of a downloader: who fetches, from whom, and what it gives back.
import Posix
import Wire

/// Whom a `Downloader` asks, and as whom.
public struct PeerClient: Sendable {
  /// Asked for every file; those that `configuration.discovery` finds are asked as well.
  public var peers: [PeerSource]
  /// Identity, swarm, limits, discovery.
  public var configuration: NodeConfiguration
  /// What others are given while a download runs and after it; nil: nothing.
  public var sharing: Sharing?

  /// By default a fresh identity in no private swarm, which looks for nobody and gives nothing.
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
