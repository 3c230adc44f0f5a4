// Inbound connections of a simulated node. The real node's admission judges them and gives orders.
import Content
import Transfer
import Wire

extension SimulatedNode {
  /// A peer has dialled, and the handshake is complete.
  func admit(_ end: NodeEnd) {
    let (verdict, orders) = admission.establish(
      end.token, from: end.group, as: end.peer.peerID, meansSeveral: false)
    switch verdict {
    case .admitted: break
    case .turnedAway: end.isTurnedAway = true
    case .refused: hangUp(end, .tooManyConnections)
    }
    carryOut(orders)
  }

  func carryOut(_ orders: [ConnectionAdmission.Order]) {
    for order in orders {
      guard let end = end(order.token) else { continue }
      switch order {
      case .drop, .displace: hangUp(end, .tooManyConnections)
      case .closeDuplicate: hangUp(end, .duplicateConnection)
      case .probe: probe(end)
      }
    }
  }

  private func probe(_ end: NodeEnd) {
    end.probedAt = world.time
    end.driver.ping(at: world.time)
    perform(on: end)
    world.after(ProtocolLimits.probePatience) { [self] in judge(end) }
  }

  /// Reports to the admission, if it waits for that, whether the peer has given a sign of life.
  func judge(_ end: NodeEnd) {
    guard canSend, end.isOpen, let askedAt = end.probedAt else { return }
    let orders = admission.judge(
      end.token, askedAt: askedAt, heardAt: end.timers.lastReceivedAt, at: world.time)
    guard let orders else { return }
    end.probedAt = nil
    carryOut(orders)
  }

  /// Reports to the admission what a connection is used for.
  func noteUse(of end: NodeEnd) {
    guard end.isInbound, !end.isTurnedAway else { return }
    admission.note(end.token, end.served == nil && !end.isFetching ? .nothingOpen : .busy)
  }
}
