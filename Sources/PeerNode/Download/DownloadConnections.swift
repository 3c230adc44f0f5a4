// The connections of one download, by the names that its state machine uses.
import Content
import Posix
import Transfer
import Wire

/// The connection table of one download. Performs the decisions of `DownloadState` about connections, and turns
/// messages about them into events. Confined to the control thread.
final class DownloadConnections {
  private struct Connection {
    let address: Endpoint
    var peer: PeerID?
    var requestsMax = 0
    /// The zone that the peer announced.
    var zone: ZoneName?
    /// Whether OPEN was sent.
    var isOpening = false
    /// Whether the peer has opened the content for this download.
    var isOpened = false
    /// Whether the user was told why the peer is useless. The end of the connection is not reported again.
    var isDismissed = false
  }

  private let node: NodeConnections
  private let link: DownloadLink
  private let onUpdate: (DownloadUpdate) -> Void
  private var connections: [ConnectionID: Connection] = [:]
  private var duplicates: DuplicateConnections

  /// - `node`: the connections of all downloads.
  /// - `own`: the PeerID of this node.
  /// - `link`: the link of the download.
  init(_ node: NodeConnections, own: PeerID, _ link: DownloadLink, onUpdate: @escaping (DownloadUpdate) -> Void) {
    self.node = node
    self.link = link
    self.onUpdate = onUpdate
    duplicates = DuplicateConnections(own: own)
  }

  private func use(_ id: ConnectionID) -> NodeConnections.Use { NodeConnections.Use(link.id, id) }

  // MARK: Actions of the state machine

  func dial(_ address: PeerAddress, pinned: PeerID?, _ id: ConnectionID) {
    connections[id] = Connection(address: Endpoint(address))
    node.dial(address, pinned: pinned, for: use(id))
  }

  func open(_ id: ConnectionID) {
    connections[id]?.isOpening = true
    node.send(to: use(id)) { .open($0, id, link) }
  }
  func fetchPage(_ page: PageIndex, from id: ConnectionID) {
    node.send(to: use(id)) { .fetchPage($0, link.id, page: page.rawValue) }
  }
  func request(_ request: FetchRequest, from id: ConnectionID) {
    node.send(to: use(id)) { .request($0, link.id, request) }
  }
  func cancel(_ request: RequestID, from id: ConnectionID) { node.send(to: use(id)) { .cancel($0, link.id, request) } }

  /// Gives up a connection that the state machine does not want. A connection that the peer dialled is kept if the peer
  /// may still want it. It may then be used at once, or later as a spare.
  func disconnect(_ id: ConnectionID, _ reason: DisconnectReason) -> DownloadEvent? {
    switch duplicates.giveUp(id, reason) {
    case .close:
      switch reason {
      case .banned where connections[id]?.isOpened == true: node.ban(use(id))
      case .banned: node.release(use(id), .now(.badData, NodeConnections.badDataText))
      case .duplicate: node.release(use(id), .now(.duplicateConnection))
      case .done: node.release(use(id), .whenUnused(.done))
      }
      return forget(id)
    case .keep:
      guard reason == .done else { return nil }  // it stays as a spare
      node.release(use(id), .never)
      return forget(id)
    case .use(let spare): return connected(spare)
    }
  }

  /// Forgets a connection. A spare one to the same peer takes its place.
  private func forget(_ id: ConnectionID) -> DownloadEvent? {
    connections[id] = nil
    return duplicates.ended(id).flatMap { connected($0) }
  }

  /// Releases all connections, since the download fetches no more. Connections with another use stay open.
  func releaseAll() {
    node.releaseAll(of: link.id)
    connections = [:]
  }

  // MARK: Messages

  /// Handles a dialled connection whose peer proved its PeerID. Returns nil if there is no event for the state machine.
  func connected(_ id: ConnectionID, _ peer: PeerID, requestsMax: Int, zone: ZoneName?) -> DownloadEvent? {
    guard let connection = connections[id] else {
      refuse(id)
      return nil
    }
    if connection.isOpening {
      // The connection was lost before OPEN was answered, and the node has dialled again.
      guard connection.peer == peer else {
        node.release(use(id), .now(.done))
        return lost(id, .truncated).first
      }
      open(id)
      return nil
    }
    (connections[id]!.peer, connections[id]!.requestsMax, connections[id]!.zone) = (peer, requestsMax, zone)
    duplicates.began(id, with: peer)
    return .connected(id, peer, requestsMax: requestsMax)
  }

  /// Refuses a new connection, because the download has no use for it.
  func refuse(_ id: ConnectionID) { node.release(use(id), .never) }

  /// Adds a connection whose peer opened the content at this node.
  func joined(
    _ id: ConnectionID, _ address: Endpoint, _ peer: PeerID, requestsMax: Int, zone: ZoneName?
  ) -> DownloadEvent {
    connections[id] = Connection(address: address, peer: peer, requestsMax: requestsMax, zone: zone)
    duplicates.began(id, with: peer)
    return .connected(id, peer, requestsMax: requestsMax, from: address.ip)
  }

  /// Returns the event for a connection that takes the place of another.
  private func connected(_ id: ConnectionID) -> DownloadEvent? {
    guard let connection = connections[id], let peer = connection.peer else { return nil }
    return .connected(
      id, peer, requestsMax: connection.requestsMax, from: id.isInbound ? connection.address.ip : nil)
  }

  /// Returns the zone that the peer of a connection announced.
  func zone(of id: ConnectionID) -> ZoneName? { connections[id]?.zone }

  /// Handles a failed dial.
  func dialFailed(_ id: ConnectionID, _ end: ConnectionEnd) -> [DownloadEvent] {
    guard let connection = connections[id] else { return [] }
    if connection.isOpening { return lost(id, end) }
    connections[id] = nil
    onUpdate(.peerEnded(connection.address, nil, end))
    return [.dialFailed(id, end.dialFailure)]
  }

  /// The peers that have opened the content, at addresses that were dialled.
  var openedPeers: [KnownPeer] {
    connections.compactMap { id, connection in
      guard connection.isOpened, !id.isInbound, let peer = connection.peer else { return nil }
      let address = connection.address
      return KnownPeer(address: PeerAddress(ip: address.ip, port: address.port, scope: address.scope), peer: peer)
    }
  }

  /// Notes that the peer has opened the content.
  func opened(_ id: ConnectionID) {
    connections[id]?.isOpened = true
    node.opened(use(id))
  }

  /// Handles a connection on which the content was closed because the output takes no data. This does not count against
  /// the peer, which is dialled again later.
  func yielded(_ id: ConnectionID) -> [DownloadEvent] {
    guard connections.removeValue(forKey: id) != nil else { return [] }
    var events = [DownloadEvent.connectionLost(id, .goodbye(CloseCode.tooManyConnections.rawValue))]
    if let spare = duplicates.ended(id), let event = connected(spare) { events.append(event) }
    return events
  }

  /// Handles a lost connection. A spare one to the same peer takes its place.
  func lost(_ id: ConnectionID, _ end: ConnectionEnd) -> [DownloadEvent] {
    guard let connection = connections.removeValue(forKey: id) else { return [] }
    if !connection.isDismissed, end.isNews(ofInbound: id.isInbound) {
      onUpdate(.peerEnded(connection.address, connection.peer, end))
    }
    var events = [end.event(of: id)]
    if let spare = duplicates.ended(id), let event = connected(spare) { events.append(event) }
    return events
  }

  /// Reports to the user why a peer is useless. Only once, since one lie can come in many pieces.
  func dismiss(_ id: ConnectionID, _ end: ConnectionEnd) {
    guard let connection = connections[id], !connection.isDismissed else { return }
    connections[id]!.isDismissed = true
    // A peer that dialled this node was not expected to have the content.
    if id.isInbound, case .refused = end { return }
    onUpdate(.peerEnded(connection.address, connection.peer, end))
  }
}

extension ConnectionEnd {
  /// Returns whether the end of a connection is worth a report to the user. An end that this download wanted was
  /// reported before, and a peer that dialled this node may leave at any time.
  fileprivate func isNews(ofInbound isInbound: Bool) -> Bool {
    switch self {
    case .local(.done, _), .local(.duplicateConnection, _), .local(.badData, _), .remote(.duplicateConnection, _): false
    case .remote: !isInbound
    default: true
    }
  }
}
