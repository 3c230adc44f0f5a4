// The connections of a download by the brain's names, and the event for the end of each.
import Content
import Posix
import Transfer
import Wire

/// The connection table of one download. Performs the brain's decisions about connections, and turns messages about them
/// into events. Confined to the control thread.
final class DownloadConnections {
  private struct Connection {
    let address: Endpoint
    var peer: PeerID?
    var requestsMax = 0
    /// The zone that the peer announced.
    var zone: ZoneName?
    /// OPEN was sent.
    var isOpening = false
    /// The peer has opened the content for this download.
    var isOpened = false
    /// The user knows why it is of no more use; its end is not worth another line.
    var isDismissed = false
  }

  private let node: NodeConnections
  private let link: DownloadLink
  private let onUpdate: (DownloadUpdate) -> Void
  private var connections: [ConnectionID: Connection] = [:]
  private var duplicates: DuplicateConnections

  /// - `node`: the connections of all downloads.
  /// - `own`: the PeerID of this node.
  /// - `link`: the download that the connections fetch for.
  init(_ node: NodeConnections, own: PeerID, _ link: DownloadLink, onUpdate: @escaping (DownloadUpdate) -> Void) {
    self.node = node
    self.link = link
    self.onUpdate = onUpdate
    duplicates = DuplicateConnections(own: own)
  }

  private func use(_ id: ConnectionID) -> NodeConnections.Use { NodeConnections.Use(link.id, id) }

  // MARK: Actions of the brain

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

  /// Gives up a connection that the brain does not want. One that the peer dialled stays if the peer may still want it; it
  /// may then be used at once, or later as a spare.
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
      guard reason == .done else { return nil }  // it waits as a spare
      node.release(use(id), .never)
      return forget(id)
    case .use(let spare): return connected(spare)
    }
  }

  /// The brain and the node know the connection no longer. A spare one takes its place.
  private func forget(_ id: ConnectionID) -> DownloadEvent? {
    connections[id] = nil
    return duplicates.ended(id).flatMap { connected($0) }
  }

  /// The download fetches no more. Connections that something else uses stay.
  func releaseAll() {
    node.releaseAll(of: link.id)
    connections = [:]
  }

  // MARK: Messages

  /// A connection to an address stands, and the peer has proven its PeerID. Nil: the brain need not hear of it.
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

  /// The download has no use for a connection that has just come.
  func refuse(_ id: ConnectionID) { node.release(use(id), .never) }

  /// A peer has opened the content at this node.
  func joined(
    _ id: ConnectionID, _ address: Endpoint, _ peer: PeerID, requestsMax: Int, zone: ZoneName?
  ) -> DownloadEvent {
    connections[id] = Connection(address: address, peer: peer, requestsMax: requestsMax, zone: zone)
    duplicates.began(id, with: peer)
    return .connected(id, peer, requestsMax: requestsMax, from: address.ip)
  }

  /// The event for a connection that takes the place of another.
  private func connected(_ id: ConnectionID) -> DownloadEvent? {
    guard let connection = connections[id], let peer = connection.peer else { return nil }
    return .connected(
      id, peer, requestsMax: connection.requestsMax, from: id.isInbound ? connection.address.ip : nil)
  }

  /// The zone that the peer of a connection announced.
  func zone(of id: ConnectionID) -> ZoneName? { connections[id]?.zone }

  /// A dial has failed.
  func dialFailed(_ id: ConnectionID, _ end: ConnectionEnd) -> [DownloadEvent] {
    guard let connection = connections[id] else { return [] }
    if connection.isOpening { return lost(id, end) }
    connections[id] = nil
    onUpdate(.peerEnded(connection.address, nil, end))
    return [.dialFailed(id, end.dialFailure)]
  }

  /// Peers that have opened the content, at addresses that were dialled.
  var openedPeers: [KnownPeer] {
    connections.compactMap { id, connection in
      guard connection.isOpened, !id.isInbound, let peer = connection.peer else { return nil }
      let address = connection.address
      return KnownPeer(address: PeerAddress(ip: address.ip, port: address.port, scope: address.scope), peer: peer)
    }
  }

  /// The peer has opened the content.
  func opened(_ id: ConnectionID) {
    connections[id]?.isOpened = true
    node.opened(use(id))
  }

  /// The output takes nothing, so the content was given back at the peer. It is no failure of the peer, which is dialled
  /// again later.
  func yielded(_ id: ConnectionID) -> [DownloadEvent] {
    guard connections.removeValue(forKey: id) != nil else { return [] }
    var events = [DownloadEvent.connectionLost(id, .goodbye(CloseCode.tooManyConnections.rawValue))]
    if let spare = duplicates.ended(id), let event = connected(spare) { events.append(event) }
    return events
  }

  /// A connection is gone; a spare one to the same peer takes its place.
  func lost(_ id: ConnectionID, _ end: ConnectionEnd) -> [DownloadEvent] {
    guard let connection = connections.removeValue(forKey: id) else { return [] }
    if !connection.isDismissed, end.isNews(ofInbound: id.isInbound) {
      onUpdate(.peerEnded(connection.address, connection.peer, end))
    }
    var events = [end.event(of: id)]
    if let spare = duplicates.ended(id), let event = connected(spare) { events.append(event) }
    return events
  }

  /// Reports to the user, once, why a peer is of no more use: a lie can come in many pieces.
  func dismiss(_ id: ConnectionID, _ end: ConnectionEnd) {
    guard let connection = connections[id], !connection.isDismissed else { return }
    connections[id]!.isDismissed = true
    // A peer that dialled this node was not expected to give anything.
    if id.isInbound, case .refused = end { return }
    onUpdate(.peerEnded(connection.address, connection.peer, end))
  }
}

extension ConnectionEnd {
  /// Whether the user wants to know how the connection ended. An end that the brain wished for was reported before, and a
  /// peer that dialled this node may go when it likes.
  fileprivate func isNews(ofInbound isInbound: Bool) -> Bool {
    switch self {
    case .local(.done, _), .local(.duplicateConnection, _), .local(.badData, _), .remote(.duplicateConnection, _): false
    case .remote: !isInbound
    default: true
    }
  }
}
