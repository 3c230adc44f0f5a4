// One TCP connection to one peer, from the first byte to the last: both ends are equal once the handshake is done.
import Content
import Posix
import Storage
import Transfer
import Wire

/// A connection, confined to its loop's thread. The parts are in their own files: receiving, sending, the session's
/// performance, serving (what the peer asks of us), fetching (what we ask of the peer).
final class PeerConnection {
  /// Bytes of the inbox when control frames are all that is expected: one large record does not fit, and grows it.
  static let controlInboxBytes = 8 << 10
  /// Bytes of the inbox of a connection that fetches: several records a system call.
  static let fetchInboxBytes = 256 << 10
  /// With more than this waiting to be sent, nothing more is read: a peer that asks must also take.
  static let outboxBytesMax = 256 << 10
  /// Paths of equal bytes that are tried for one upload in one turn: each costs a look at the disk.
  static let pathsPerTurn = 16

  unowned let loop: NetworkLoop
  /// The registration in epoll; never given out twice in a loop.
  let token: UInt64
  let socket: Socket
  /// Where it was dialled, or where it came from.
  let address: SocketAddress
  let group: AddressGroup
  let role: ChannelRole
  /// The brain's name for it, where the brain knows it.
  var id: ConnectionID?
  /// The download that it fetches for.
  var link: DownloadLink?

  var isConnecting: Bool
  var handshake: ChannelHandshake?
  /// After the handshake.
  var channel: EstablishedChannel?
  var peerID: PeerID?
  /// Requests that the peer accepts unanswered.
  var requestsMax = ProtocolLimits.requestsInFlightMax
  /// After the handshake: what the peer's messages mean.
  var driver: SessionDriver?
  var isEstablished: Bool { peerID != nil }
  /// Over: nothing more is done with it.
  private(set) var isClosed = false
  /// GOODBYE is sealed: what waits is sent, then it is over.
  var isFinishing = false
  /// GOODBYE has left: reads on until the other end closes, for a moment.
  private var isLingering = false
  /// Of a connection that came in.
  var standing: Standing
  var isTurnedAway: Bool { standing.verdict == .turnedAway }
  /// For those who look at the node; nil before it was let in, and once it is over.
  var record: ConnectionRecord?
  /// No new pieces are promised; it ends when those asked for are sent.
  var isShuttingDown = false

  var inbox = ByteQueue()
  var outbox = ByteQueue()
  var decoder = FrameDecoder()
  /// The inbox is being worked through: whoever is called from there leaves it alone.
  var isProcessing = false
  var isStarving = false
  var isQueuedToSend = false
  /// The loop sends its hints at the end of the turn.
  var isQueuedToHint = false
  /// The loop lets it go on with the frames at hand in the next turn.
  var isQueuedToRead = false
  /// Frames that it may still deal with in this turn.
  var framesLeft = NodeLimits.framesPerTurn
  /// Bytes at the inbox's head that are a record's plaintext and not decoded yet. The record's tag follows them.
  var openedBytes = 0
  /// The system took less than it was offered; it says when there is room again.
  var isSocketFull = false
  /// What `OutboxMemory` counts for it.
  var countedBytes = 0
  /// The other end takes nothing any more; what it sent before is being read.
  var sendFailure: Errno?
  private(set) var interest: Readiness

  /// What the session has opened for the peer.
  var served: [FileHandle: ServedSource] = [:]
  /// The file of which a piece waits to be sent, as far as others know.
  var waitsFor: FileID?

  /// The port that the other end can be dialled at: the one that was dialled, or the one that it announced.
  var listenPort: UInt16?
  /// Its name among all connections of the node.
  var member: Audiences.Member { token ^ UInt64(loop.index) << 48 }

  // Fetching.
  /// Takes the bytes of a DATA frame that are on their way; nil where nobody wants them.
  var arriving: Block?
  var spareBlock: Block?
  var finishedJobs: [VerifyJob] = []

  var timers: ConnectionTimers

  /// A connection that we dial for a download.
  init(
    loop: NetworkLoop, token: UInt64, socket: consuming Socket, address: SocketAddress, dialling id: ConnectionID,
    pinned: PeerID?, suite: CipherSuite, link: DownloadLink
  ) {
    self.loop = loop
    self.token = token
    self.socket = consume socket
    self.address = address
    group = AddressGroup(ip: address.ip)
    self.id = id
    self.link = link
    role = .dialer
    isConnecting = true
    interest = .writable
    handshake = loop.context.dialing(pinned: pinned, suite: suite)
    standing = Standing(at: loop.now)
    timers = ConnectionTimers(at: loop.now)
    self.socket.limitUnsent(to: NodeLimits.unsentBytesMax)
  }

  /// A connection that was accepted.
  init(loop: NetworkLoop, token: UInt64, socket: consuming Socket, address: SocketAddress) {
    self.loop = loop
    self.token = token
    self.socket = consume socket
    self.address = address
    group = AddressGroup(ip: address.ip)
    id = nil
    link = nil
    role = .listener
    isConnecting = false
    interest = .readable
    handshake = loop.context.listening()
    standing = Standing(at: loop.now)
    timers = ConnectionTimers(at: loop.now)
    self.socket.limitUnsent(to: NodeLimits.unsentBytesMax)
  }

  // MARK: Events of the loop

  func isReady(_ readiness: Readiness) {
    if isConnecting {
      if let errno = socket.pendingError("connect", address.description) { return close(.broken(errno)) }
      guard readiness.contains(.writable) else { return }
      isConnecting = false
      sendHandshakeBytes()
    }
    if !isQueuedToRead { framesLeft = NodeLimits.framesPerTurn }
    if readiness.contains(.writable) {
      isSocketFull = false
      flush()
    }
    if isStarving && !readiness.isDisjoint(with: .hangUp) {
      // It is told until it is read, and nothing is read now: without an end the loop would turn hot.
      close(.broken(socket.pendingError("recv", address.description) ?? .reset("recv", address.description)))
    }
    if !isClosed, readiness.contains(.readable) || !readiness.isDisjoint(with: .hangUp) { receive() }
    settle()
  }

  /// Blocks are free again.
  func goOn() {
    isStarving = false
    timers.readsAgain(at: loop.now)
    process()
    settle()
  }

  /// Once after each event: sends what was sealed, hands finished pieces on, and tells epoll what to wait for.
  func settle() {
    guard !isClosed else { return }
    flush()
    guard !isClosed else { return }
    if isFinishing && outbox.isEmpty && !linger() { return close() }
    if inbox.count > 0 && !isStarving && !isQueuedToRead {  // what was left while the outbox was full
      process()
      if !isClosed { flush() }
    }
    guard !isClosed else { return }
    countOutbox()
    judgeLife()
    noteUse()
    handOverFinishedJobs()
    let isWaiting = hasToSend || !outbox.isEmpty
    driver?.note(isWaiting: isWaiting, at: loop.now)
    queueToSend()
    guard !isClosed else { return }
    var wanted: Readiness = []
    if isConnecting || !outbox.isEmpty { wanted.insert(.writable) }
    if !isConnecting && !isStarving && outbox.count <= PeerConnection.outboxBytesMax { wanted.insert(.readable) }
    if wanted != interest {
      interest = wanted
      loop.updateInterest(self)
    }
  }

  // MARK: Ending

  /// Ends the connection: with a GOODBYE where the end calls for one, which is sent if the peer takes it.
  func close(_ end: ConnectionEnd) {
    guard !isClosed, !isFinishing else { return }
    leaveAudiences()  // before the others hear that it has gone
    report(end)
    noteBreach(end)
    if isEstablished, let goodbye = end.goodbye {
      if goodbye.code == .done || goodbye.code == .shuttingDown { withdrawDownload() }
      send(.goodbye(goodbye))
      isFinishing = true
      timers.ending()
      driver?.end()
      releaseBlocks()
      flush()
      // It counts nowhere, so it does not wait for the peer to take its GOODBYE.
      if !holdsPlace, !outbox.isEmpty { return close() }
      if !isClosed { settle() }
    } else if role == .listener, end.leavesMessageUnread {
      isFinishing = true
      timers.ending()
      settle()
    } else {
      close()
    }
  }

  /// GOODBYE, or the answer to a preamble, has left: reads on for a moment, since closing with bytes unread makes the
  /// system send a reset, which can overtake it. False: not now, or not any more.
  private func linger() -> Bool {
    if loop.isEnding { return false }
    if !isLingering {
      guard lingerInAdmission() else { return false }
      isLingering = true
      timers.lingers(at: loop.now)
      socket.finishSending()
    }
    return true
  }

  /// Lets go of the socket. What is still to be told has been told.
  func close() {
    guard !isClosed else { return }
    isClosed = true
    driver?.end()
    leaveAudiences()
    releaseBlocks()
    countOutbox()
    endAdmission()
    loop.leave(self)
    socket.finishSending()
  }

  /// Says goodbye when all that was asked for is sent.
  func shutDown() {
    isShuttingDown = true
    driver?.session.shutDown()
    if !isEstablished || !hasToSend { close(.here(loop.farewell, "")) }
    if !isClosed { settle() }
  }

  func report(_ end: ConnectionEnd) {
    recheckSent(after: end)
    if role == .listener && record == nil { loop.context.records.turnedAway() }
    if let link, let id {
      link.tell(isEstablished ? .connectionLost(id, end) : .dialFailed(id, end))
    } else if let peerID {
      loop.context.report(.disconnected(peerID, address, end))
    } else {
      loop.context.report(.turnedAway(address, end))
    }
  }

  // MARK: Deadlines

  /// Does what the time calls for.
  func checkDeadlines() {
    guard !isClosed else { return }
    judgeLife()
    noteUse()
    let due = timers.due(
      isSending: !outbox.isEmpty, isReading: !isStarving, isInTheWay: isInTheWay, at: loop.now)
    switch due {
    case .handshakeTimeout?: close(isConnecting ? .broken(.timedOut("connect", address.description)) : .silent)
    case .abandon(let code, let text)?:
      report(.here(code, text))
      close()
    case .goodbye(let code, let text)?: close(.here(code, text))
    case .close?: close()
    case .ping?, nil: fireSession(pings: due == .ping)
    }
  }

  private func fireSession(pings: Bool) {
    guard isEstablished, !isFinishing, !isStarving else { return }
    let hasPinged = pings && driver?.ping(at: loop.now) == true
    guard driver?.fire(at: loop.now) == true || hasPinged else { return }
    performSession()
    settle()
  }
}

extension ConnectionEnd {
  /// What the other end is told, nil where it is told nothing.
  var goodbye: Goodbye? {
    switch self {
    case .here(let code, let text): Goodbye(code: code, text: text)
    case .violation(let what): Goodbye(code: .protocolError, text: what)
    case .lied(let what): Goodbye(code: .badData, text: what)
    case .there, .broken, .truncated, .silent, .handshake, .withdrawn, .refused: nil
    }
  }

  /// Whether a listener ends the handshake after the preamble, while message 1 of the dialer is still on its way.
  fileprivate var leavesMessageUnread: Bool {
    switch self {
    case .handshake(.patternMismatch), .handshake(.suiteUnsupported): true
    default: false
    }
  }
}
