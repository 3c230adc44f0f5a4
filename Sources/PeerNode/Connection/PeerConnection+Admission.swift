// Reports an incoming connection to the admission, and carries out the verdict.
import Transfer
import Wire

extension EstablishedPeer {
  /// What the admission knows about a connection, and its verdict.
  struct Standing {
    /// Nil for a dialled connection, which needs no admission.
    fileprivate(set) var verdict: ConnectionAdmission.Verdict?
    /// Whether both ends accept several connections between them.
    let meansSeveral: Bool
    /// The use of the connection, as the admission knows it.
    fileprivate(set) var use: ConnectionUse
    /// When a ping was sent for the admission; nil: it waits for no sign of life.
    fileprivate(set) var probedAt: Instant?

    init(meansSeveral: Bool, at now: Instant) {
      self.meansSeveral = meansSeveral
      use = ConnectionUse(at: now)
    }
  }
}

extension PeerConnection {
  /// Whether the connection has a place. A dialled connection always has one: its download counts it.
  var holdsPlace: Bool {
    role == .dialer || loop.context.admission { $0.holdsPlace(token) }
  }

  // MARK: Coming

  /// Reports that message 1 was answered.
  func noteProgress() {
    guard role == .listener else { return }
    let now = loop.context.admission.now
    loop.context.admission { $0.progressed(token, at: now) }
  }

  /// Asks the admission for a verdict on an allowed peer whose handshake is done.
  func admit(_ peer: EstablishedPeer) {
    let (verdict, orders) = loop.context.admission {
      $0.establish(token, from: group, as: peer.id, meansSeveral: peer.standing.meansSeveral)
    }
    peer.standing.verdict = verdict
    loop.carryOut(orders)
    switch verdict {
    case .admitted: record = loop.context.records.enter(token, peer.id, address)
    case .turnedAway: timers.turnedAway()  // it is sent the addresses of other peers first
    case .refused: close(.local(.tooManyConnections, ""))
    }
  }

  /// Reports that the peer broke the protocol. If that happens again and again, the admission rejects its address group
  /// for a while.
  func noteBreach(_ end: ConnectionEnd) {
    guard role == .listener, isEstablished, case .violation = end else { return }
    let now = loop.context.admission.now
    loop.context.admission { $0.brokeProtocol(from: group, at: now) }
  }

  // MARK: Being of use

  /// Reports a changed use of the connection to the admission. Called after each event.
  func noteUse() {
    guard let peer, peer.standing.verdict == .admitted else { return }
    let isFetching = !fetches.isEmpty
    let hasChanged = peer.standing.use.note(
      isOpen: isFetching || !peer.served.isEmpty, isWaiting: isFetching || peer.isOwedUploads, at: loop.now)
    if hasChanged { loop.context.admission { $0.note(token, peer.standing.use.use) } }
  }

  /// Whether the connection has had nothing open for long while places are scarce. During a scan it is never in the
  /// way, since the file that the peer wants may still be hashed.
  var isInTheWay: Bool {
    guard let peer, peer.standing.verdict == .admitted, peer.standing.use.isUseless(at: loop.now) else { return false }
    return !loop.context.isScanning && loop.context.admission { $0.isCrowded }
  }

  // MARK: Being alive

  /// Sends a ping: the peer has dialled again, and the admission wants to know whether this connection is dead.
  func probe() {
    guard let peer, peer.standing.probedAt == nil else { return }
    peer.standing.probedAt = loop.now
    peer.driver.ping(at: loop.now)
    performSession()
    settle()
  }

  /// If the admission waits for a sign of life, reports that it came, or that it did not come in time.
  func judgeLife() {
    // A connection that waits for a block reads nothing, so the silence is not the peer's fault.
    guard let peer, let askedAt = peer.standing.probedAt, !marks.isStarving else { return }
    let orders = loop.context.admission {
      $0.judge(token, askedAt: askedAt, heardAt: timers.lastReceivedAt, at: loop.now)
    }
    guard let orders else { return }
    peer.standing.probedAt = nil
    loop.carryOut(orders)
  }

  // MARK: Going

  /// Gives the connection's place to others, after GOODBYE or the answer to a preamble has left. Returns false if there
  /// is no place to linger.
  func lingerInAdmission() -> Bool {
    leaveRecords()
    guard role == .listener else { return true }
    let (isGranted, orders) = loop.context.admission {
      $0.linger(token, from: group, hasShakenHands: isEstablished)
    }
    loop.carryOut(orders)
    return isGranted
  }

  /// Reports the end of the connection to the admission.
  func endAdmission() {
    leaveRecords()
    if role == .listener { loop.carryOut(loop.context.admission { $0.end(token) }) }
  }

  private func leaveRecords() {
    if record != nil { loop.context.records.leave(token) }
    record = nil
  }
}
