// What a connection from outside tells the admission, and what the admission makes of it.
import Transfer
import Wire

extension PeerConnection {
  /// What the admission knows of a connection, and has said about it.
  struct Standing {
    /// When the handshake was done.
    var verdict: ConnectionAdmission.Verdict?
    /// Both ends have said that they mean several connections of the peer.
    var meansSeveral = false
    /// As the admission was told.
    fileprivate(set) var use: ConnectionUse
    /// Since when the admission waits for a sign of life.
    fileprivate(set) var probedAt: Instant?

    init(at now: Instant) { use = ConnectionUse(at: now) }
  }

  /// Whether the admission counts it among those that may be here. A connection that was dialled is counted by the brain
  /// that dialled it.
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

  /// The handshake is done, and the peer may be here.
  func admit(as peer: PeerID) {
    let (verdict, orders) = loop.context.admission {
      $0.establish(token, from: group, as: peer, meansSeveral: standing.meansSeveral)
    }
    standing.verdict = verdict
    standing.use = ConnectionUse(at: loop.now)
    loop.carryOut(orders)
    switch verdict {
    case .admitted: record = loop.context.records.enter(member, peer, address)
    case .turnedAway: timers.turnedAway()  // it hears of other peers first
    case .refused: close(.here(.tooManyConnections, ""))
    }
  }

  /// A peer that broke the protocol keeps others of its address group out for a while, if it does so again and again.
  func noteBreach(_ end: ConnectionEnd) {
    guard role == .listener, isEstablished, case .violation = end else { return }
    let now = loop.context.admission.now
    loop.context.admission { $0.brokeProtocol(from: group, at: now) }
  }

  // MARK: Being of use

  /// Tells the admission what the connection is good for, if that has changed. Called after each event.
  func noteUse() {
    guard standing.verdict == .admitted, !isFinishing else { return }
    let hasChanged = standing.use.note(
      isOpen: !served.isEmpty || link != nil, isWaiting: hasToSend || link != nil, at: loop.now)
    if hasChanged { loop.context.admission { $0.note(token, standing.use.use) } }
  }

  /// Whether it has nothing open for long while places are few. A peer that waits for a file to be hashed has asked for it.
  var isInTheWay: Bool {
    standing.verdict == .admitted && standing.use.isUseless(at: loop.now) && !loop.context.isScanning
      && loop.context.admission { $0.isCrowded }
  }

  // MARK: Being alive

  /// The peer has dialled again, and the admission wants to know whether this connection is dead.
  func probe() {
    guard isEstablished, !isFinishing, !isClosed, standing.probedAt == nil else { return }
    standing.probedAt = loop.now
    driver?.ping(at: loop.now)
    performSession()
    settle()
  }

  /// Reports a sign of life, or that none came, if the admission waits for it.
  func judgeLife() {
    // While it starves nothing is read: the silence is ours.
    guard let askedAt = standing.probedAt, !isClosed, !isFinishing, !isStarving else { return }
    let orders = loop.context.admission {
      $0.judge(token, askedAt: askedAt, heardAt: timers.lastReceivedAt, at: loop.now)
    }
    guard let orders else { return }
    standing.probedAt = nil
    loop.carryOut(orders)
  }

  // MARK: Going

  /// GOODBYE has left. Gives the place to others; false: there is none to linger in.
  func lingerInAdmission() -> Bool {
    leaveRecords()
    guard role == .listener else { return true }
    let (isGranted, orders) = loop.context.admission { $0.linger(token) }
    loop.carryOut(orders)
    return isGranted
  }

  /// The connection is over.
  func endAdmission() {
    leaveRecords()
    if role == .listener { loop.carryOut(loop.context.admission { $0.end(token) }) }
  }

  private func leaveRecords() {
    if record != nil { loop.context.records.leave(member) }
    record = nil
  }
}
