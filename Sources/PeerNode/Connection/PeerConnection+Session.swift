// Performs the actions of the session in the order that `SessionDriver` gives. The connection itself interprets no
// message.
import Posix
import Transfer
import Wire

extension PeerConnection {
  /// Gives the session a command that does not come from the peer.
  func command(_ change: (inout PeerSession) -> Void) {
    guard let peer else { return }
    change(&peer.driver.session)
    performSession()
    settle()
  }

  func performSession() {
    while let peer, let action = peer.driver.nextAction() { perform(action, for: peer) }
    // The peer was sent the addresses of others that have the file.
    if let peer, peer.isTurnedAway, !peer.served.isEmpty {
      sealHints()
      close(.local(.tooManyConnections, ""))
    }
  }

  private func perform(_ action: PeerSessionAction, for peer: EstablishedPeer) {
    switch action {
    case .send(let message):
      send(message, to: peer)
      peer.driver.queued(message, outboxByteCount: outbound.bytes.count)
    case .tell(let news, let handle): pass(on: news, about: handle, of: peer)
    case .lookUp(let open): lookUp(open, for: peer)
    case .promise(let handle, let chunk): promise(chunk, of: handle, to: peer)
    case .settle(let handle, let chunk): settlePromise(of: chunk, in: handle, to: peer)
    case .closed(let handle): closed(handle, of: peer)
    case .admit(let request): admit(request, of: peer)
    case .expectPayload(let isWanted): expectPayload(isWanted: isWanted, from: peer)
    case .verify(let piece): finish(piece)
    case .close(.remote(let code, let text)):
      leaveSwarms()  // before the other peers learn that it has gone
      report(.remote(code, text))
      close()
    case .close(let end): close(ConnectionEnd(end))
    }
  }
}

extension ConnectionEnd {
  init(_ end: SessionEnd) {
    switch end {
    case .remote(let code, let text): self = .remote(code, text)
    case .violation(let what): self = .violation(what)
    case .lied(let what): self = .lied(what)
    }
  }
}
