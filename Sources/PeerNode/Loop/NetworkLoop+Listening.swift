// Accepts connections, distributes them to all loops, and carries out the orders of the admission.
import Posix
import Transfer

/// The listening socket of a loop.
struct Acceptor: ~Copyable {
  /// Nil: the loop accepts nothing.
  var listener: Socket?
  /// When to listen again after the system refused connections.
  var againAt: Instant?
  private var nextLoop = 0

  /// Returns the loop that gets the next connection. All loops take turns.
  mutating func takeTurn(of loopCount: Int) -> Int {
    defer { nextLoop = (nextLoop + 1) % loopCount }
    return nextLoop
  }
}

extension NetworkLoop {
  func acceptAll() {
    guard acceptor.listener != nil else { return }
    do {
      // Bounded, so that a flood of connections does not starve the established ones.
      for _ in 0..<64 {
        guard let (socket, from) = try acceptor.listener!.accepting() else { return }
        context.counters.accepted()
        let target = acceptor.takeTurn(of: context.mailboxes.count)
        let token = context.names.take(forLoop: target)
        let group = AddressGroup(ip: from.ip)
        let now = context.admission.now
        if context.admission({ $0.isKeptOut(group, at: now) }) {
          context.records.turnedAway()
          _ = Socket(owning: socket)  // closed without an answer
          continue
        }
        if let order = context.admission({ $0.begin(token, from: group, at: now) }) { carryOut(now: order) }
        if target == index {
          adopt(socket, from, token)
        } else {
          context.mailboxes[target].send(.adopt(socket: socket, from: from, token: token))
        }
      }
    } catch {
      // Out of descriptors or memory: new connections wait in the kernel, so that the loop does not spin. One
      // connection is closed each time, so that peers which hold descriptors for ever do not keep all others out.
      if let listener = acceptor.listener?.number { try? epoll.modify(listener, token: NetworkLoop.listenerToken, []) }
      acceptor.againAt = now + .seconds(1)
      context.report(.cannotAccept(error))
      let time = context.admission.now
      if error.isShortage, let order = context.admission({ $0.relieve(at: time) }) { carryOut(now: order) }
    }
  }

  func stopListening() {
    guard let socket = acceptor.listener.take() else { return }
    try? epoll.remove(socket.number)
  }

  func listenAgainIfDue() {
    guard let again = acceptor.againAt, now >= again else { return }
    acceptor.againAt = nil
    if let listener = acceptor.listener?.number {
      try? epoll.modify(listener, token: NetworkLoop.listenerToken, .readable)
    }
  }

  // MARK: Orders of the admission

  /// Sends orders to the loops of their connections. This loop, too, gets its orders by mailbox: the caller may be
  /// inside a connection's code, and no other connection may end meanwhile.
  func carryOut(_ orders: [ConnectionAdmission.Order]) {
    for order in orders { context.mailboxes[order.token.loop].send(.admission(order)) }
  }

  /// Carries out one order at once if it concerns this loop, which frees the descriptor. Call it only outside a
  /// connection's code.
  private func carryOut(now order: ConnectionAdmission.Order) {
    if order.token.loop == index { obey(order) } else { carryOut([order]) }
  }

  func obey(_ order: ConnectionAdmission.Order) {
    guard let connection = connections[order.token] else { return }
    switch order {
    case .drop:
      // Not if it has finished its handshake while the order was on its way.
      if !connection.isEstablished { connection.close(.local(.tooManyConnections, "")) }
    case .displace: connection.close(.local(.tooManyConnections, ""))
    case .closeDuplicate: connection.close(.local(.duplicateConnection, ""))
    case .probe: connection.probe()
    }
  }
}
