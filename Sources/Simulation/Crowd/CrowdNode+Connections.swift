// The connections of a crowd's node: how they are dialled, admitted and ended.
import Content
import Transfer
import Wire

extension CrowdNode {
  func dial(_ address: PeerAddress, _ id: ConnectionID) {
    // TCP and one round trip of the handshake.
    world.after(crowd.plan.delay * 4) { [self] in
      guard isUp, isDownloading else { return }
      let node = crowd.nodes[CrowdNode.number(at: address)]
      if node === self { return tell(.dialFailed(id, .ourselves)) }
      guard node.isUp else { return tell(.dialFailed(id, .refused)) }
      let end = NodeEnd.connect(
        face(id), to: node.face(node.takeInboundID()), hash: CrowdNode.hash(self, id, node))
      enter(end)
      tell(connected(end))
      if let other = end.other { node.comeIn(other) }
    }
  }

  private func face(_ id: ConnectionID) -> NodeEnd.Face {
    NodeEnd.Face(node: self, id: id, peerID: self.id, ip: address.ip, port: address.port)
  }

  /// Returns a handshake hash that no other connection has.
  private static func hash(_ dialer: CrowdNode, _ id: ConnectionID, _ listener: CrowdNode) -> Digest {
    var bytes: [UInt8] = Array(repeating: 0, count: Digest.byteCount)
    for (place, number) in [UInt64(dialer.number), id.rawValue, UInt64(listener.number)].enumerated() {
      for i in 0..<8 { bytes[8 * place + i] = UInt8(truncatingIfNeeded: number >> UInt64(8 * i)) }
    }
    return Digest(bytes.span.bytes, at: 0)
  }

  private func enter(_ end: NodeEnd) {
    end.isFetching = true
    insert(end)
    dialledCount += 1
    if dialledCount > crowd.plan.connectionsMax { world.violate("\(number) dials too many") }
    noteConnectionCount()
  }

  /// A peer has dialled, and the handshake is complete.
  private func comeIn(_ end: NodeEnd) {
    insert(end)
    admit(end)
    noteConnectionCount()
  }

  private func noteConnectionCount() {
    connectionsHigh = max(connectionsHigh, dialledCount + admission.establishedCount)
  }

  // MARK: Ending

  func reportLoss(of end: NodeEnd, _ reason: LossReason) {
    guard end.isFetching else { return }
    tell(.connectionLost(end.id, reason))
    if let spare = replacement(of: end) { tell(event(connected: spare)) }
  }

  /// Forgets the connection. If there is a reason, the other end notices the loss.
  func drop(_ end: NodeEnd, telling reason: LossReason?) {
    guard end.isOpen else { return }
    for request in Array(end.asked.keys) { answered(request, on: end) }
    if let reason, let other = end.other {
      world.after(crowd.plan.delay) { other.node.lost(other, reason) }
    }
    remove(end)
    if !end.isInbound { dialledCount -= 1 }
  }
}
