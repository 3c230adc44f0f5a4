// The connections of a getter process: how they are dialled, accepted, watched and ended.
import Content
import Transfer
import Wire

extension GetterProcess {
  func dial(_ address: PeerAddress, _ id: ConnectionID) {
    guard let peer = getter.peers.first(where: { $0.plan.addresses.contains(address) }) else {
      return world.violate("an address is dialled that nobody has")
    }
    let failures: [(Fault, DialFailure)] = [
      (.refusesDials, .refused), (.unreachable, .unreachable), (.notAdmitted, .notAdmitted), (.wrongPeer, .wrongPeer),
      (.ourselves, .ourselves),
    ]
    let roundTrip = peer.plan.delay * 2
    if let (_, failure) = failures.first(where: { peer.plan.has($0.0) }) {
      return world.after(roundTrip) { [self] in handle(.dialFailed(id, failure)) }
    }
    world.after(roundTrip) { [self] in
      guard !isDead else { return }
      switch peer.reception() {
      case .refused: handle(.dialFailed(id, .refused))
      case .silent:
        let ends = ConnectionTimers(at: world.time).handshakeEndsAt
        world.at(ends) { [self] in handle(.dialFailed(id, .timedOut)) }
      case .accepted:
        let end = enter(id, peer)
        use(connected(end, requestsMax: peer.plan.requestsMax), of: end)
      }
    }
  }

  /// A peer that knows the file has dialled.
  func accept(_ peer: ServingPeer) {
    guard !isDead, !state.isEnded, peer.reception() == .accepted else { return }
    let end = enter(takeInboundID(), peer)
    admit(end)
    guard end.isOpen, !end.isTurnedAway else { return }
    use(connected(end, requestsMax: peer.plan.requestsMax), of: end)
  }

  func enter(_ id: ConnectionID, _ peer: ServingPeer) -> NodeEnd {
    let local = NodeEnd.Face(
      node: self, id: id, peerID: GetterProcess.id(in: getter.scenario), ip: GetterProcess.ip, port: nil)
    let address = peer.plan.addresses[0]
    let remote = NodeEnd.Face(
      node: peer, id: peer.takeInboundID(), peerID: peer.nextIdentity(), ip: address.ip, port: address.port)
    let hash = Digest(Array("handshake".utf8) + [UInt8(peer.plan.number)] + Array(repeating: 0, count: 22))!
    let end = NodeEnd.connect(local, to: remote, hash: hash)
    insert(end)
    if let other = end.other {
      peer.insert(other)
      // A peer that dialled does not admit the connection.
      if !end.isInbound { peer.admit(other) }
      peer.closeDuplicates()
    }
    watch(end)
    return end
  }

  /// Smaller or larger than the PeerIDs of all peers. It decides which of two connections stays when both ends dialled.
  static func id(in scenario: Scenario) -> PeerID {
    let byte: UInt8 = scenario.seed % 2 == 0 ? 0 : 255
    return PeerID(digest: Digest(Array(repeating: byte, count: Digest.byteCount).span.bytes, at: 0))
  }
  private static let ip: [UInt8] = Array(repeating: 0, count: 10) + [255, 255, 10, 0, 1, 1]

  func server(_ end: NodeEnd) -> ServingPeer? { end.peer.node as? ServingPeer }
  func delay(to end: NodeEnd) -> Duration { server(end)?.plan.delay ?? .zero }

  /// Closes an idle connection, as the node does. A peer that is present counts as having answered a PING.
  func watch(_ end: NodeEnd) {
    world.at(end.timers.idleAt) { [self] in
      guard end.isOpen, !isDead else { return }
      if end.other?.isOpen == true && server(end)?.reception() == .accepted {
        end.timers.received(Packet.pongByteCount, at: world.time)
      }
      let due = end.timers.due(isSending: false, isReading: true, isInTheWay: false, at: world.time)
      if case .goodbye = due { lost(end, .idle) } else { watch(end) }
    }
  }

  func reportLoss(of end: NodeEnd, _ reason: LossReason) {
    tell(.connectionLost(end.id, reason))
    replace(end)
  }

  /// Updates the connection rules, and reports a broken one.
  func enterInBook(_ change: (inout ConnectionRules) -> Void) {
    change(&connectionRules)
    if let broken = connectionRules.broken { world.violate(broken) }
  }

  /// Tells the download that it may use a connection.
  private func use(_ event: DownloadEvent, of end: NodeEnd) {
    enterInBook { $0.began(end.id, with: end.peer.peerID) }
    tell(event)
  }

  /// Replaces a lost connection by a spare one.
  func replace(_ end: NodeEnd) {
    enterInBook { $0.ended(end.id) }
    if let spare = replacement(of: end) { use(event(connected: spare), of: spare) }
    enterInBook { $0.settle() }
  }

  /// The download gives a connection up.
  func giveUp(_ id: ConnectionID, _ reason: DisconnectReason) {
    guard let end = end(id) else { return }
    var stays = false
    enterInBook { stays = $0.givesUp(id, reason) }
    let spare = disconnect(end, reason)
    if end.isOpen != stays {
      world.violate("a connection to \(end.peer.peerID) \(stays ? "is closed" : "stays") that is given up: \(reason)")
    }
    if let spare { use(event(connected: spare), of: spare) }
    enterInBook { $0.settle() }
  }

  func close(_ end: NodeEnd) {
    remove(end)
    starving.removeAll { $0 === end }
  }

  func sayGoodbye(_ code: CloseCode, on end: NodeEnd) {
    send(.goodbye(Goodbye(code: code, text: "")), on: end)
    close(end)
  }

  /// Applies a change to the connection that the brain named, then performs what its session decides.
  func command(_ id: ConnectionID, _ change: (NodeEnd) -> Void) {
    guard let end = end(id) else { return }
    change(end)
    perform(on: end)
  }
}
