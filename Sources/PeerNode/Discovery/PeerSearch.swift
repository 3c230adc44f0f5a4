// The sources of a download's peers: addresses, host names, and nodes that answer on the network.
import Posix
import Transfer
import Wire

/// The search for the peers of one download. Confined to the control thread.
final class PeerSearch {
  /// The peers that the user named by address, not by host name.
  private let addresses: [(address: Endpoint, pinned: PeerID?)]
  private let names: PeerLookups
  private let onUpdate: (DownloadUpdate) -> Void
  private let peersWanted: Int
  /// Whether the user named a peer at the start.
  private let knowsPeers: Bool
  /// Whether the download waits for peers.
  private let isPatient: Bool
  private let link: DownloadLink
  /// Nil before `ask` and after `stop`.
  private var asker: DiscoveryAsker?
  /// The number of live peers in the latest report to the asker.
  private var toldPeerCount = 0
  /// Whether the state machine still waits for the addresses of names and of the network.
  private var isDiscovering = true
  /// Whether the first phase on the network still runs.
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

  /// The events for addresses that need no search.
  var known: [DownloadEvent] { addresses.map { PeerSearch.added($0.address, pinned: $0.pinned) } }

  /// Searches for the content on the network and on this machine. The download is sent the addresses.
  func ask(with asker: DiscoveryAsker, multicast: Bool) throws(Errno) {
    // Without multicast, a download with named peers does not wait for the search.
    let time =
      !knowsPeers ? DiscoverySettings.searchTime : multicast ? DiscoverySettings.searchTimeWithPeers : .zero
    try asker.begin(
      link, asksAfter: knowsPeers ? DiscoverySettings.namedPeersTime : .zero, firstPhase: time,
      isPatient: isPatient)
    self.asker = asker
  }

  /// Looks up names that are due. Returns `discoveryFinished` once, when all addresses of the start are known.
  /// - `isLooking`: whether a thread still checks if the file is complete already.
  func lookUp(livePeers: Int, isLooking: Bool, at now: Instant) -> DownloadEvent? {
    names.lookUp(livePeers: livePeers, at: now)
    guard isDiscovering, !isAsking, !isLooking, names.isSettled(at: now) else { return nil }
    isDiscovering = false
    return .discoveryFinished
  }

  /// Takes the answer of a look-up. Returns its new addresses as events.
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

  /// Ends the first phase on the network: the download waits for it no longer.
  func settled(_ summary: DiscoverySummary) {
    isAsking = false
    onUpdate(.searched(summary))
  }

  /// Reports the number of live peers to the asker. A higher number goes at once, because a download with enough peers
  /// stops searching. A lower one goes only when `isTick`: a peer that comes and goes must not make this node ask the
  /// network each time.
  func note(livePeers: Int, isTick: Bool) {
    guard let asker, isTick ? livePeers != toldPeerCount : livePeers > toldPeerCount else { return }
    toldPeerCount = livePeers
    asker.peers(of: link.id, live: livePeers, wanted: peersWanted)
  }

  /// Ends the search.
  func stop() { asker.take()?.end(link.id) }

  private static func added(_ address: Endpoint, pinned: PeerID?) -> DownloadEvent {
    .addressAdded(PeerAddress(ip: address.ip, port: address.port, scope: address.scope), pinned: pinned)
  }
}
