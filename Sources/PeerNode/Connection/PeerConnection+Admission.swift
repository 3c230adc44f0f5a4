// Reports a connection from outside to the admission, and does what the admission decides about it.
import Transfer
import Wire

extension EstablishedPeer {
  /// The facts that the admission knows of a connection, and its verdict.
  struct Standing {
    /// Nil for a connection that was dialled: it is not asked about.
    fileprivate(set) var verdict: ConnectionAdmission.Verdict?
    /// Both ends have said that they mean several connections of the peer.
    let meansSeveral: Bool
    /// As the admission knows it.
    fileprivate(set) var use: ConnectionUse
    /// Since when the admission waits for a sign of life.
    fileprivate(set) var probedAt: Instant?

    init(meansSeveral: Bool, at now: Instant) {
      self.meansSeveral = meansSeveral
      use = ConnectionUse(at: now)
    }
  }
}

extension PeerConnection {
  /// Whether the admission counts it among the connections with a place. A connection that was dialled is counted by the
  /// brain that dialled it.
  var holdsPlace: Bool {
    role == .dialer || loop.context.admission { $0.holdsPlace(token) }
  }

  // MARK: Coming

  /// Message 1 was answered.
  func noteProgress() {
    guard role == .listener else { return }
    let now = loop.context.admission.now
    loop.context.admission { $0.progressed(token, at: now) }
  }

  /// The handshake is done, and the peer is allowed.
  func admit(_ peer: EstablishedPeer) {
    let (verdict, orders) = loop.context.admission {
      $0.establish(token, from: group, as: peer.id, meansSeveral: peer.standing.meansSeveral)
    }
    peer.standing.verdict = verdict
    loop.carryOut(orders)
    switch verdict {
    case .admitted: record = loop.context.records.enter(token, peer.id, address)
    case .turnedAway: timers.turnedAway()  // it hears of other peers first
    case .refused: close(.local(.tooManyConnections, ""))
    }
  }

  /// A peer that broke the protocol keeps others of its address group out for a while, if it does so again and again.
  func noteBreach(_ end: ConnectionEnd) {
    guard role == .listener, isEstablished, case .violation = end else { return }
    let now = loop.context.admission.now
    loop.context.admission { $0.brokeProtocol(from: group, at: now) }
  }

  // MARK: Being of use

  /// Reports the use of the connection to the admission if it has changed. Called after each event.
  func noteUse() {
    guard let peer, peer.standing.verdict == .admitted else { return }
    let isFetching = !fetches.isEmpty
    let hasChanged = peer.standing.use.note(
      isOpen: isFetching || !peer.served.isEmpty, isWaiting: isFetching || peer.isOwedUploads, at: loop.now)
    if hasChanged { loop.context.admission { $0.note(token, peer.standing.use.use) } }
  }

  /// Whether it has had nothing open for long while places are few. During a scan the file that the peer asked for may
  /// still be hashed.
  var isInTheWay: Bool {
    guard let peer, peer.standing.verdict == .admitted, peer.standing.use.isUseless(at: loop.now) else { return false }
    return !loop.context.isScanning && loop.context.admission { $0.isCrowded }
  }

  // MARK: Being alive

  /// The peer has dialled again, and the admission wants to know whether this connection is dead.
  func probe() {
    guard let peer, peer.standing.probedAt == nil else { return }
    peer.standing.probedAt = loop.now
    peer.driver.ping(at: loop.now)
    performSession()
    settle()
  }

  /// Reports a sign of life, or that none came, if the admission waits for it.
  func judgeLife() {
    // A connection that starves reads nothing: the silence is ours.
    guard let peer, let askedAt = peer.standing.probedAt, !marks.isStarving else { return }
    let orders = loop.context.admission {
      $0.judge(token, askedAt: askedAt, heardAt: timers.lastReceivedAt, at: loop.now)
    }
    guard let orders else { return }
    peer.standing.probedAt = nil
    loop.carryOut(orders)
  }

  // MARK: Going

  /// GOODBYE, or the answer to a preamble, has left. Gives the place to other connections. False: there is no place to
  /// linger in.
  func lingerInAdmission() -> Bool {
    leaveRecords()
    guard role == .listener else { return true }
    let (isGranted, orders) = loop.context.admission {
      $0.linger(token, from: group, hasShakenHands: isEstablished)
    }
    loop.carryOut(orders)
    return isGranted
  }

  /// The connection is over.
  func endAdmission() {
    leaveRecords()
    if role == .listener { loop.carryOut(loop.context.admission { $0.end(token) }) }
  }

  private func leaveRecords() {
    if record != nil { loop.context.records.leave(token) }
    record = nil
  }
}
