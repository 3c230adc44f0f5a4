// Performs what the session decides, as `SessionDriver` says: the connection itself knows the meaning of no message.
import Posix
import Transfer
import Wire

extension PeerConnection {
  /// A message came. What it draws is sent when the event is over.
  func handle(_ message: Message) {
    driver!.receive(message, at: loop.now)
    performSession()
  }

  /// Something that is not of the peer's doing happened.
  func command(_ change: (inout PeerSession) -> Void) {
    guard isEstablished, !isFinishing, driver != nil else { return }
    change(&driver!.session)
    performSession()
    settle()
  }

  func performSession() {
    while !isClosed, !isFinishing, let action = driver?.nextAction() {
      switch action {
      case .send(let message):
        send(message)
        driver!.queued(message, outboxByteCount: outbox.count)
      case .tell(let news): tell(news)
      case .lookUp(let open): lookUp(open)
      case .promise(let handle, let chunk): promise(chunk, of: handle)
      case .settle(let handle, let chunk): settlePromise(of: chunk, in: handle)
      case .admit(let request): admit(request)
      case .expectPayload(let isWanted): arriving = isWanted ? takeSpareBlock() : nil
      case .verify(let piece): finish(piece)
      case .close(.there(let code, let text)):
        leaveAudiences()  // before the others hear that it has gone
        report(.there(code, text))
        close()
      case .close(let end): close(ConnectionEnd(end))
      }
    }
    // It has been told who else has the file.
    if isTurnedAway, !served.isEmpty, !isClosed, !isFinishing {
      sealHints()
      close(.here(.tooManyConnections, ""))
    }
  }
}
