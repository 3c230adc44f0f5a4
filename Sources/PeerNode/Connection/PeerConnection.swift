// One TCP connection to one peer, from the first byte to the last. After the handshake both ends are equal.
import Content
import Posix
import Transfer
import Wire

/// A connection, confined to its loop's thread. Its parts have their own files: receiving, sending, the actions of the
/// session, serving, fetching, the admission, and the end with its deadlines.
final class PeerConnection {
  /// Marks that the loop and the connection set for each other.
  struct LoopMarks {
    /// Whether nothing is read because a download may not take a memory block. The loop calls `goOn` when it may.
    var isStarving = false
    /// Whether the loop will call `sendPiece` when the connection's turn comes.
    var isQueuedToSend = false
    /// Whether the loop will call `sendHints` at the end of the turn.
    var isQueuedToHint = false
    /// Whether the loop will call `readOn` in the next turn.
    var isQueuedToRead = false
    /// How many more frames may be handled in this turn.
    var framesLeft = NodeLimits.framesPerTurn
  }

  unowned let loop: NetworkLoop
  /// The connection's name in the node and in epoll.
  let token: ConnectionToken
  let socket: Socket
  /// The address that was dialled, or from which the connection came.
  let address: Endpoint
  let group: AddressGroup
  let role: ChannelRole

  var phase: ConnectionPhase
  var timers: ConnectionTimers
  var inbound = Inbound()
  var outbound = Outbound()
  var marks = LoopMarks()
  /// The contents fetched over the connection.
  var fetches: Fetches
  /// The connection's record in the node's status; nil before the admission and after the end.
  var record: ConnectionRecord?
  private(set) var interest: Readiness

  /// Makes a connection that this node dials for its downloads.
  init(
    loop: NetworkLoop, token: ConnectionToken, dialling socket: consuming Socket, address: Endpoint, pinned: PeerID?,
    suite: CipherSuite
  ) {
    self.loop = loop
    self.token = token
    self.socket = consume socket
    self.address = address
    group = AddressGroup(ip: address.ip)
    role = .dialer
    phase = .connecting(PendingHandshake(loop.context.dialing(pinned: pinned, suite: suite)))
    timers = ConnectionTimers(at: loop.now)
    fetches = Fetches(isDialled: true)
    interest = .writable
    self.socket.limitUnsent(to: NodeLimits.unsentBytesMax)
  }

  /// Makes a connection that was accepted.
  init(loop: NetworkLoop, token: ConnectionToken, socket: consuming Socket, address: Endpoint) {
    self.loop = loop
    self.token = token
    self.socket = consume socket
    self.address = address
    group = AddressGroup(ip: address.ip)
    role = .listener
    phase = .handshaking(PendingHandshake(loop.context.listening()))
    timers = ConnectionTimers(at: loop.now)
    fetches = Fetches(isDialled: false)
    interest = .readable
    self.socket.limitUnsent(to: NodeLimits.unsentBytesMax)
  }

  // MARK: The phase

  /// The other end, from the end of the handshake to the GOODBYE.
  var peer: EstablishedPeer? {
    if case .established(let peer) = phase { peer } else { nil }
  }

  var isEstablished: Bool { peer != nil }

  private var isConnecting: Bool {
    if case .connecting = phase { true } else { false }
  }

  /// Whether the last message is queued or sent, and the connection ends soon.
  var isFinishing: Bool {
    switch phase {
    case .finishing, .lingering: true
    case .connecting, .handshaking, .established, .closed: false
    }
  }

  var isClosed: Bool {
    if case .closed = phase { true } else { false }
  }

  // MARK: Events of the loop

  func isReady(_ readiness: Readiness) {
    if case .connecting(let handshake) = phase {
      if let errno = socket.pendingError("connect", address.description) { return close(.broken(errno)) }
      guard readiness.contains(.writable) else { return }
      phase = .handshaking(handshake)
      sendBytes(of: handshake)
    }
    if !marks.isQueuedToRead { marks.framesLeft = NodeLimits.framesPerTurn }
    if readiness.contains(.writable) {
      outbound.isSocketFull = false
      flush()
    }
    if marks.isStarving && !readiness.isDisjoint(with: .hangUp) {
      // Epoll reports a hang-up until it is read. Nothing is read now, so without an end the loop would spin.
      close(.broken(socket.pendingError("recv", address.description) ?? .reset("recv", address.description)))
    }
    if !isClosed, readiness.contains(.readable) || !readiness.isDisjoint(with: .hangUp) { receive() }
    settle()
  }

  /// Continues to read, since the download may take a block again.
  func goOn() {
    marks.isStarving = false
    fetches.starving = nil
    loop.dequeue(starving: self)
    timers.readsAgain(at: loop.now)
    process()
    settle()
  }

  /// Sends sealed bytes, hands over received pieces, and updates the interest in epoll. Called once after each event.
  func settle() {
    guard !isClosed else { return }
    flush()
    guard !isClosed else { return }
    if isFinishing && outbound.bytes.isEmpty && !linger() { return close() }
    if !inbound.bytes.isEmpty && !marks.isStarving && !marks.isQueuedToRead {  // the outbox was full until now
      process()
      if !isClosed { flush() }
    }
    guard !isClosed else { return }
    countOutbox()
    judgeLife()
    noteUse()
    fetches.handOverFinishedJobs()
    if let peer {
      peer.driver.note(isWaiting: peer.isOwedUploads || !outbound.bytes.isEmpty, at: loop.now)
      queueToSend(peer)
    }
    guard !isClosed else { return }
    updateInterest()
  }

  private func updateInterest() {
    var wanted: Readiness = []
    if isConnecting || !outbound.bytes.isEmpty { wanted.insert(.writable) }
    if !isConnecting && !marks.isStarving && !outbound.isOverfull { wanted.insert(.readable) }
    guard wanted != interest else { return }
    interest = wanted
    loop.updateInterest(self)
  }
}
