// Where a download's peers are: the names that are looked up while it runs.
import Posix
import Transfer
import Wire

extension DownloadRun {
  /// Looks names up that are due, and says once that all addresses of the start are known.
  func discover() {
    names.lookUp(livePeers: state.livePeerCount, at: now)
    if isDiscovering, !isSearching, look == nil, names.isSettled(at: now) {
      isDiscovering = false
      tell(.discoveryFinished)
    }
  }

  func resolved(_ name: Int, _ result: Result<[SocketAddress], ResolutionFailure>) {
    guard let (source, news) = names.resolved(name, result, at: now) else { return }
    switch news {
    case .success(let addresses):
      onUpdate(.resolved(source, addresses))
      for address in addresses { add(address, pinned: source.pinned) }
    case .failure(let failure): onUpdate(.unresolved(source, failure.reason))
    }
  }

  func add(_ address: SocketAddress, pinned: PeerID?) {
    tell(.addressAdded(PeerAddress(ip: address.ip, port: address.port, scope: address.scope), pinned: pinned))
  }
}
