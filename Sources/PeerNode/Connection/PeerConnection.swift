// One TCP connection to one peer, from the first byte to the last: both ends are equal once the handshake is done.
import Content
import Posix
import Transfer
import Wire

/// A connection, confined to its loop's thread. The parts are in their own files: receiving, sending, the actions of the
/// session, serving, fetching, the admission, and the end with its deadlines.
final class PeerConnection {
  /// Marks that the loop and the connection set for each other.
  struct LoopMarks {
    /// No block is free, so nothing is read. The loop says when some are free.
    var isStarving = false
    /// The loop lets it send a piece when its turn comes.
    var isQueuedToSend = false
    /// The loop sends its hints at the end of the turn.
    var isQueuedToHint = false
    /// The loop lets it go on with the frames at hand in the next turn.
    var isQueuedToRead = false
    /// Frames that it may still deal with in this turn.
    var framesLeft = NodeLimits.framesPerTurn
  }

  unowned let loop: NetworkLoop
  /// Its name in the node, and in epoll.
  let token: ConnectionToken
  let socket: Socket
  /// The address that was dialled, or the one that the connection came from.
  let address: Endpoint
  let group: AddressGroup
  let role: ChannelRole

  var phase: ConnectionPhase
  var timers: ConnectionTimers
  var inbound = Inbound()
  var outbound = Outbound()
  var marks = LoopMarks()
  /// The contents that it fetches.
  var fetches: Fetches
  /// Its entry in the status of the node; nil before it is admitted, and once it is over.
  var record: ConnectionRecord?
  private(set) var interest: Readiness

  /// A connection that this node dials for its downloads.
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

  /// A connection that was accepted.
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

  /// The bytes that wait are sent, then it is over.
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
      // The system reports a hang-up until it is read, and nothing is read now: without an end the loop would turn hot.
      close(.broken(socket.pendingError("recv", address.description) ?? .reset("recv", address.description)))
    }
    if !isClosed, readiness.contains(.readable) || !readiness.isDisjoint(with: .hangUp) { receive() }
    settle()
  }

  /// Blocks are free again.
  func goOn() {
    marks.isStarving = false
    fetches.starving = nil
    loop.dequeue(starving: self)
    timers.readsAgain(at: loop.now)
    process()
    settle()
  }

  /// Called once after each event: sends what was sealed, hands finished pieces on, and updates the interest in epoll.
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
