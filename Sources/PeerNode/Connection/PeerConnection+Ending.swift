// The end of a connection: its deadlines, its GOODBYE, and the reports about it.
import Posix
import Transfer
import Wire

extension PeerConnection {
  // MARK: Deadlines

  /// Acts on the deadlines that have passed.
  func checkDeadlines() {
    guard !isClosed else { return }
    judgeLife()
    noteUse()
    if endIfDead() { return }
    checkStarving()
    closeIfUnused()
    guard !isClosed else { return }
    let due = timers.due(
      isSending: !outbound.bytes.isEmpty, isReading: !marks.isStarving, isInTheWay: isInTheWay, at: loop.now)
    switch due {
    case .handshakeTimeout?: close(endOfHandshake)
    case .abandon(let code, let text)?:
      report(.local(code, text))
      close()
    case .goodbye(let code, let text)?: close(.local(code, text))
    case .close?: close()
    case .ping?, nil: fireSession(pings: due == .ping)
    }
  }

  private var endOfHandshake: ConnectionEnd {
    if case .connecting = phase { .broken(.timedOut("connect", address.description)) } else { .silent }
  }

  private func fireSession(pings: Bool) {
    guard let peer, !marks.isStarving else { return }
    let hasPinged = pings && peer.driver.ping(at: loop.now)
    guard peer.driver.fire(at: loop.now) || hasPinged else { return }
    performSession()
    settle()
  }

  // MARK: Ending

  /// Ends the connection, with a GOODBYE if the end calls for one.
  func close(_ end: ConnectionEnd) {
    guard !isClosed, !isFinishing else { return }
    leaveSwarms()  // before the other peers learn that it has gone
    report(end)
    noteBreach(end)
    if let peer, let goodbye = end.goodbye {
      if goodbye.code == .done || goodbye.code == .shuttingDown { withdrawDownloads() }
      guard isEstablished else { return }
      send(.goodbye(goodbye), to: peer)
      finish()
      releaseBlocks()
      flush()
      // No limit counts this connection, so it does not wait until the peer reads its GOODBYE.
      if !holdsPlace, !outbound.bytes.isEmpty { return close() }
      if !isClosed { settle() }
    } else if role == .listener, end.leavesMessageUnread {
      finish()
      settle()
    } else {
      close()
    }
  }

  /// Enters the finishing phase: the last message is in the outbox.
  private func finish() {
    peer?.driver.end()
    phase = .finishing
    timers.ending()
  }

  /// Keeps reading for a moment after GOODBYE or the answer to a preamble has left: closing a socket with unread bytes
  /// makes the kernel send a reset, which can overtake that message. Returns false if the connection must close at
  /// once.
  func linger() -> Bool {
    if loop.isEnding { return false }
    if case .finishing = phase {
      guard lingerInAdmission() else { return false }
      phase = .lingering
      timers.lingers(at: loop.now)
      socket.finishSending()
    }
    return true
  }

  /// Closes the connection, after all reports about it were made.
  func close() {
    guard !isClosed else { return }
    leaveSwarms()
    peer?.driver.end()
    phase = .closed
    releaseBlocks()
    countOutbox()
    endAdmission()
    loop.leave(self)
    socket.finishSending()
  }

  /// Sends GOODBYE as soon as everything that the peer requested is sent.
  func shutDown() {
    peer?.isShuttingDown = true
    peer?.driver.session.shutDown()
    if peer?.isOwedUploads != true { close(.local(loop.farewell, "")) }
    if !isClosed { settle() }
  }

  func report(_ end: ConnectionEnd) {
    recheckSent(after: end)
    endFetches(end)
    if role == .listener && record == nil { loop.context.records.turnedAway() }
    if fetches.isKnownToControl {
      reportToControl(.ended(end, wasEstablished: isEstablished, lie: lie(in: end)))
    }
    guard role == .listener else { return }
    loop.context.report(peer.map { .disconnected($0.id, address, end) } ?? .turnedAway(address, end))
  }

  private func lie(in end: ConnectionEnd) -> Lie {
    guard case .lied = end else { return .none }
    // The download may have closed the content while the answer was on its way.
    let content = peer?.driver.session.handleLiedAbout.flatMap { fetches.fetching($0) }
    return content.map { .about($0.link.id) } ?? .aboutNone
  }

  /// Sends a report to the control thread, which knows the downloads that use the connection.
  func reportToControl(_ report: ConnectionReport) { loop.context.control.send(.connection(token, report)) }
}

extension ConnectionEnd {
  /// The GOODBYE for the other end; nil if the connection closes without one.
  var goodbye: Goodbye? {
    switch self {
    case .local(let code, let text): Goodbye(code: code, text: text)
    case .violation(let what): Goodbye(code: .protocolError, text: what)
    case .lied(let what): Goodbye(code: .badData, text: what)
    case .remote, .broken, .truncated, .silent, .handshake, .withdrawn, .refused: nil
    }
  }

  /// Whether the listener ends the handshake after the preamble, while the dialer's message 1 may still be on its way.
  fileprivate var leavesMessageUnread: Bool {
    switch self {
    case .handshake(.patternMismatch), .handshake(.suiteUnsupported): true
    default: false
    }
  }
}
