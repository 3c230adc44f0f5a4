// The sources of a download's peers: addresses, names that are looked up, and nodes that answer on the network.
import Posix
import Transfer
import Wire

/// The search for the peers of one download. Confined to the control thread.
final class PeerSearch {
  /// The peers of the start that are addresses and not names.
  private let addresses: [(address: Endpoint, pinned: PeerID?)]
  private let names: PeerLookups
  private let onUpdate: (DownloadUpdate) -> Void
  private let peersWanted: Int
  /// Whether a peer was named at the start.
  private let knowsPeers: Bool
  /// Whether the download waits for peers.
  private let isPatient: Bool
  private let link: DownloadLink
  /// Nil if no network is asked.
  private var asker: DiscoveryAsker?
  /// The number of live peers that the asker was given last.
  private var toldPeerCount = 0
  /// The brain waits for more addresses: of names, and of the network.
  private var isDiscovering = true
  /// The first phase on the network is not over.
  private var isAsking: Bool

  /// - `isAsking`: whether `ask` follows.
  /// - `isPatient`: whether the download waits for peers.
  /// - `link`: the download that gets the answers.
  init(
    _ peers: [PeerSource], peersWanted: Int, isAsking: Bool, isPatient: Bool, resolve: @escaping Resolver,
    link: DownloadLink, onUpdate: @escaping (DownloadUpdate) -> Void, at now: Instant
  ) {
    addresses = peers.compactMap { peer in peer.host.address.map { ($0, pinned: peer.pinned) } }
    names = PeerLookups(
      peers.filter { $0.host.address == nil }, peersWanted: peersWanted, resolve: resolve, link: link, at: now)
    self.onUpdate = onUpdate
    self.peersWanted = peersWanted
    self.isAsking = isAsking
    self.isPatient = isPatient
    knowsPeers = !peers.isEmpty
    self.link = link
  }

  var deadline: Instant? { names.deadline }

  /// The addresses that need no search.
  var known: [DownloadEvent] { addresses.map { PeerSearch.added($0.address, pinned: $0.pinned) } }

  /// Asks the network and the other nodes of this machine for the content. The download gets the hints.
  func ask(with asker: DiscoveryAsker, multicast: Bool) throws(Errno) {
    // If no network is asked, the peers that were named are all there are.
    let time =
      !knowsPeers ? DiscoverySettings.searchTime : multicast ? DiscoverySettings.searchTimeWithPeers : .zero
    try asker.begin(
      link, asksAfter: knowsPeers ? DiscoverySettings.namedPeersTime : .zero, firstPhase: time,
      isPatient: isPatient)
    self.asker = asker
  }

  /// Looks up names that are due. Returns, once, that all addresses of the start are known.
  /// - `isLooking`: whether a thread still checks if the file is complete already.
  func lookUp(livePeers: Int, isLooking: Bool, at now: Instant) -> DownloadEvent? {
    names.lookUp(livePeers: livePeers, at: now)
    guard isDiscovering, !isAsking, !isLooking, names.isSettled(at: now) else { return nil }
    isDiscovering = false
    return .discoveryFinished
  }

  /// A name was looked up.
  func resolved(
    _ name: Int, _ result: Result<[Endpoint], ResolutionFailure>, at now: Instant
  ) -> [DownloadEvent] {
    guard let (source, news) = names.resolved(name, result, at: now) else { return [] }
    switch news {
    case .success(let addresses):
      onUpdate(.resolved(source, addresses))
      return addresses.map { PeerSearch.added($0, pinned: source.pinned) }
    case .failure(let failure):
      onUpdate(.unresolved(source, failure.reason))
      return []
    }
  }

  /// The network need not be waited for any longer.
  func settled(_ summary: DiscoverySummary) {
    isAsking = false
    onUpdate(.searched(summary))
  }

  /// A download with enough peers need not look for more, so the asker learns of new peers at once. It learns of lost ones
  /// only when `isTick`: a peer that comes and goes must not make this node ask the network each time.
  func note(livePeers: Int, isTick: Bool) {
    guard let asker, isTick ? livePeers != toldPeerCount : livePeers > toldPeerCount else { return }
    toldPeerCount = livePeers
    asker.peers(of: link.id, live: livePeers, wanted: peersWanted)
  }

  /// Asks no more.
  func stop() { asker.take()?.end(link.id) }

  private static func added(_ address: Endpoint, pinned: PeerID?) -> DownloadEvent {
    .addressAdded(PeerAddress(ip: address.ip, port: address.port, scope: address.scope), pinned: pinned)
  }
}
