// The connections of a node of a crowd: dialled, judged by the node's admission, and ended.
import Content
import Transfer
import Wire

extension CrowdNode {
  func dial(_ address: PeerAddress, _ id: ConnectionID) {
    // TCP, and a round trip of the handshake.
    world.after(crowd.plan.delay * 4) { [self] in
      guard isUp, isDownloading else { return }
      let node = crowd.nodes[CrowdNode.number(at: address)]
      if node === self { return tell(.dialFailed(id, .ourselves)) }
      guard node.isUp else { return tell(.dialFailed(id, .refused)) }
      let end = NodeEnd.connect(
        face(id), fetching: file.target, to: node.face(node.takeInboundID()), hash: CrowdNode.hash(self, id, node))
      end.isFetching = true
      enter(end)
      tell(.connected(id, node.id))
      node.admit(end.other!)
    }
  }

  private func face(_ id: ConnectionID) -> NodeEnd.Face {
    NodeEnd.Face(node: self, id: id, peerID: self.id, ip: address.ip, port: address.port)
  }

  /// A hash of the handshake that no other connection has.
  private static func hash(_ dialer: CrowdNode, _ id: ConnectionID, _ listener: CrowdNode) -> Digest {
    var bytes: [UInt8] = Array(repeating: 0, count: Digest.byteCount)
    for (place, number) in [UInt64(dialer.number), id.rawValue, UInt64(listener.number)].enumerated() {
      for i in 0..<8 { bytes[8 * place + i] = UInt8(truncatingIfNeeded: number >> UInt64(8 * i)) }
    }
    return Digest(bytes.span.bytes, at: 0)
  }

  private func enter(_ end: NodeEnd) {
    insert(end)
    if isDialled(end) { dialledCount += 1 }
    if dialledCount > crowd.plan.connectionsMax { world.violate("\(number) dials too many") }
    noteConnectionCount()
  }

  private func isDialled(_ end: NodeEnd) -> Bool { end.id < ConnectionID.firstInbound }

  private func noteConnectionCount() {
    connectionsHigh = max(connectionsHigh, dialledCount + admission.establishedCount)
  }

  // MARK: The admission

  /// A handshake with a peer that dialled is done.
  private func admit(_ end: NodeEnd) {
    enter(end)
    let (verdict, orders) = admission.establish(
      end.id.rawValue, from: end.group, as: end.peer.peerID, meansSeveral: false)
    switch verdict {
    case .admitted: noteConnectionCount()
    case .turnedAway: end.isTurnedAway = true
    case .refused: hangUp(end, .tooManyConnections)
    }
    carryOut(orders)
  }

  private func carryOut(_ orders: [ConnectionAdmission.Order]) {
    for order in orders {
      guard let end = end(ConnectionID(order.token)) else { continue }
      switch order {
      case .drop, .displace: hangUp(end, .tooManyConnections)
      case .closeDuplicate: hangUp(end, .duplicateConnection)
      case .probe:
        end.probedAt = world.time
        end.driver.ping(at: world.time)
        perform(on: end)
      }
    }
  }

  /// Bytes came from a peer: a sign of life, if the admission waits for one.
  func heard(from end: NodeEnd) {
    guard let askedAt = end.probedAt, end.isOpen,
      let orders = admission.judge(end.id.rawValue, askedAt: askedAt, heardAt: world.time, at: world.time)
    else { return }
    end.probedAt = nil
    carryOut(orders)
  }

  /// The admission hears what a connection is good for.
  func noteUse(of end: NodeEnd) {
    guard !isDialled(end), !end.isTurnedAway else { return }
    admission.note(end.id.rawValue, end.served == nil && !end.isFetching ? .nothingOpen : .busy)
  }

  // MARK: Ending

  /// Says goodbye and forgets the connection.
  func hangUp(_ end: NodeEnd, _ code: CloseCode) {
    guard end.isOpen else { return }
    send(.goodbye(Goodbye(code: code, text: "")), on: end)
    drop(end, telling: nil)
    if end.isFetching { tell(.connectionLost(end.id, .closed)) }
  }

  /// Forgets the connection; with a reason the other end notices.
  func drop(_ end: NodeEnd, telling reason: LossReason?) {
    guard end.isOpen else { return }
    for request in Array(end.asked.keys) { answered(request, on: end) }
    if let reason, let other = end.other {
      world.after(crowd.plan.delay) { other.node.lost(other, reason) }
    }
    remove(end)
    if isDialled(end) { dialledCount -= 1 } else { carryOut(admission.end(end.id.rawValue)) }
  }
}
