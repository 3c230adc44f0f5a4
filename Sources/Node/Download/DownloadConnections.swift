// The connections of a download by the brain's names: the loop of each, and the event for its end.
import Posix
import Transfer
import Wire

/// The connection table of one download. Performs the brain's decisions about connections, and turns reports of the
/// loops into events. Confined to the control thread.
final class DownloadConnections {
  private struct Connection {
    let address: Endpoint
    let pinned: PeerID?
    let loop: Int
    var suite: CipherSuite
    var peer: PeerID?
    var requestsMax = 0
    /// The user knows why it is of no more use; its end is not worth another line.
    var isDismissed = false
  }

  private let context: NodeContext
  private let link: DownloadLink
  private let onUpdate: (DownloadUpdate) -> Void
  private var connections: [ConnectionID: Connection] = [:]
  private var duplicates: DuplicateConnections
  private var nextLoop = 0

  /// - `link`: the download that the connections fetch for.
  init(_ context: NodeContext, _ link: DownloadLink, onUpdate: @escaping (DownloadUpdate) -> Void) {
    self.context = context
    self.link = link
    self.onUpdate = onUpdate
    duplicates = DuplicateConnections(own: context.configuration.identity.peerID)
  }

  // MARK: Actions of the brain

  func dial(_ address: PeerAddress, pinned: PeerID?, _ id: ConnectionID) {
    let connection = Connection(
      address: Endpoint(address), pinned: pinned, loop: nextLoop, suite: context.configuration.suites[0])
    nextLoop = (nextLoop + 1) % context.mailboxes.count
    connections[id] = connection
    dial(connection, id)
  }

  private func dial(_ connection: Connection, _ id: ConnectionID) {
    let token = context.takeToken(forLoop: connection.loop)
    send(.dial(id, token, connection.address, pinned: connection.pinned, suite: connection.suite, link), to: id)
  }

  func send(_ command: LoopCommand, to id: ConnectionID) {
    if let connection = connections[id] { context.mailboxes[connection.loop].send(command) }
  }

  /// Closes a connection that the brain gives up. One that the peer dialled stays if the peer may still want it; it may
  /// then be used at once, or later as a spare.
  func disconnect(_ id: ConnectionID, _ reason: DisconnectReason) -> DownloadEvent? {
    switch duplicates.giveUp(id, reason) {
    case .close:
      send(.disconnect(id, reason.closeCode, reason == .banned ? "your data does not verify" : ""), to: id)
      return nil
    case .keep: return nil
    case .use(let spare): return connected(spare)
    }
  }

  // MARK: Reports of the loops

  /// The handshake of a connection that was dialled is done.
  func connected(_ id: ConnectionID, _ peer: PeerID, requestsMax: Int) -> DownloadEvent {
    if connections[id] != nil {
      (connections[id]!.peer, connections[id]!.requestsMax) = (peer, requestsMax)
      duplicates.began(id, with: peer)
    }
    return .connected(id, peer, requestsMax: requestsMax)
  }

  /// A peer that dialled this node has opened the file.
  func joined(
    _ id: ConnectionID, loop: Int, _ address: Endpoint, _ peer: PeerID, requestsMax: Int
  ) -> DownloadEvent {
    connections[id] = Connection(
      address: address, pinned: nil, loop: loop, suite: context.configuration.suites[0], peer: peer,
      requestsMax: requestsMax)
    duplicates.began(id, with: peer)
    return .connected(id, peer, requestsMax: requestsMax, from: address.ip)
  }

  /// The event for a connection that takes the place of another.
  private func connected(_ id: ConnectionID) -> DownloadEvent? {
    guard let connection = connections[id], let peer = connection.peer else { return nil }
    return .connected(
      id, peer, requestsMax: connection.requestsMax, from: id.isInbound ? connection.address.ip : nil)
  }

  /// A dial has ended before the handshake. Dials once more if the end names another cipher.
  func dialFailed(_ id: ConnectionID, _ end: ConnectionEnd) -> DownloadEvent? {
    guard let connection = connections[id] else { return nil }
    if let suite = end.suiteToTry(insteadOf: connection.suite, isPrivate: context.swarmKey != nil) {
      connections[id]!.suite = suite  // once, since it can be changed to one only
      dial(connections[id]!, id)
      return nil
    }
    connections[id] = nil
    onUpdate(.peerEnded(connection.address, nil, end))
    return .dialFailed(id, end.dialFailure)
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
