// One thread, one epoll, many connections. All code here runs on that thread; other threads send it messages.
import Content
import Posix
import Transfer
import Wire

/// A loop and its connections, confined to its own thread.
final class NetworkLoop {
  /// How often the deadlines of connections are checked. All of them are far longer.
  private static let tick = Duration.milliseconds(500)
  /// How many pieces are sent before the sockets are polled again: 1 MiB.
  private static let piecesPerTurn = 16
  private static let mailboxToken: UInt64 = 0
  static let listenerToken: UInt64 = 1

  let context: NodeContext
  let index: Int
  let mailbox: Mailbox<LoopCommand>
  /// Reads the served files.
  var files = ServedFileReader()
  /// The time of the latest wait.
  var now: Instant

  var epoll: Epoll
  var acceptor = Acceptor()
  private var clock = LoopClock()
  private(set) var connections: [ConnectionToken: PeerConnection] = [:]
  /// The connections of peers that have a content open here.
  var byContent: [FileID: [ConnectionToken: PeerConnection]] = [:]
  private var turns = UploadTurns()
  /// The connection that sends next, while it waits for the upload limit.
  private var sender: PeerConnection?
  /// Connections that do not read until a download may take a memory block.
  private var starving: [(connection: PeerConnection, download: DownloadID)] = []
  private var hinting: [PeerConnection] = []
  /// Connections that received more frames than one turn handles.
  private var reading: [PeerConnection] = []
  private var relieveAgainAt: Instant
  private var throttledUntil: Instant?
  /// Connections whose peers have used up their upload limit, and when each may send again.
  private var held = DeadlineQueue<ConnectionToken>()
  /// Whether the upload limit delays pieces.
  var isThrottled: Bool { throttledUntil != nil }
  private var nextTick: Instant
  /// When the loop ends at the latest, and the code of its GOODBYE. It ends earlier if all its connections have ended.
  private var ending: (at: Instant, code: CloseCode)?
  var isEnding: Bool { ending != nil }
  /// The code of GOODBYE when the loop ends.
  var farewell: CloseCode { ending?.code ?? .shuttingDown }

  /// Starts a loop on its own thread.
  static func start(_ loop: NetworkLoop) -> Thread {
    // Safe: it is handed over before the thread starts, and from then on only that thread touches it.
    nonisolated(unsafe) let loop = loop
    return Thread.start(name: "p2p-net-\(loop.index)") { loop.run() }
  }

  init(context: NodeContext, index: Int) throws(Errno) {
    self.context = context
    self.index = index
    mailbox = context.mailboxes[index]
    epoll = try Epoll()
    try epoll.add(mailbox.number, token: NetworkLoop.mailboxToken, .readable)
    now = clock.now()
    nextTick = now + NetworkLoop.tick
    relieveAgainAt = now
  }

  /// Makes this loop accept connections and distribute them to all loops. Call it before `start`.
  func listen(on socket: consuming Socket) throws(Errno) {
    try epoll.add(socket.number, token: NetworkLoop.listenerToken, .readable)
    acceptor.listener = consume socket
  }

  private func run() {
    while turn() {}
    for connection in Array(connections.values) { connection.close(.local(farewell, "")) }
  }

  /// Waits for events and handles them. Returns false once the loop has ended.
  func turn() -> Bool {
    if let ending, connections.isEmpty || now >= ending.at { return false }
    let milliseconds = waitMilliseconds()
    var ready: [(UInt64, Readiness)] = []
    do { try epoll.wait(milliseconds: milliseconds) { ready.append(($0, $1)) } } catch {
      preconditionFailure("epoll: \(error)")  // EBADF or EINVAL: our own bug
    }
    now = clock.now(afterWaiting: milliseconds)
    let readers = reading
    reading = []
    for (token, readiness) in ready { dispatch(token, readiness) }
    for connection in readers { connection.readOn() }
    sendHints()
    if context.outboxes.isShort, now >= relieveAgainAt {
      relieveAgainAt = now + NodeLimits.relieveInterval
      relieveMemory()
    }
    sendPieces()
    if now >= nextTick { checkDeadlines() }
    now = clock.now()
    return true
  }

  private func waitMilliseconds() -> Int32 {
    if !hinting.isEmpty || !reading.isEmpty { return 0 }
    var due = nextTick
    if let ending { due = min(due, ending.at) }
    if let next = held.next { due = min(due, next) }
    if let throttledUntil {
      due = min(due, throttledUntil)
    } else if !turns.isEmpty {
      return 0
    }
    let wait = (due - now).wholeNanoseconds
    return wait <= 0 ? 0 : Int32(clamping: (wait + 999_999) / 1_000_000)
  }

  private func dispatch(_ token: UInt64, _ readiness: Readiness) {
    switch token {
    case NetworkLoop.mailboxToken:
      for command in mailbox.takeAll() { perform(command) }
    case NetworkLoop.listenerToken: acceptAll()
    default: connections[ConnectionToken(rawValue: token)]?.isReady(readiness)  // nil: the event is stale
    }
  }

  private func perform(_ command: LoopCommand) {
    switch command {
    case .adopt(let socket, let from, let token): adopt(socket, from, token)
    case .dial(let token, let address, let pinned, let suite): dial(token, address, pinned, suite)
    case .open(let token, let id, let link): connections[token]?.open(for: link, as: id)
    case .fetchPage(let token, let download, let page): connections[token]?.fetchPage(page, for: download)
    case .request(let token, let download, let request): connections[token]?.request(request, for: download)
    case .cancel(let token, let download, let request): connections[token]?.cancel(request, for: download)
    case .giveBack(let token, let download, let code): connections[token]?.giveBack(for: download, closing: code)
    case .disconnect(let token, let code, let text): connections[token]?.close(.local(code, text))
    case .admission(let order): obey(order)
    case .blocksAvailable(let download):
      let waiting = starving.filter { $0.download == download }
      starving.removeAll { $0.download == download }
      for (connection, _) in waiting { connection.goOn() }
    case .catalogueChanged:
      for connection in Array(connections.values) { connection.catalogueChanged() }
    case .withdraw(let entry, let reason):
      for connection in connections(of: entry.fileID) { connection.withdraw(entry, because: reason) }
    case .withdrawFolder(let folder):
      for connection in Array(connections.values) { connection.withdraw(folder) }
    case .promised(let fileID, let chunk, let member):
      for connection in connections(of: fileID) { connection.promised(chunk, of: fileID, to: member) }
    case .announce(let share, let runs):
      for connection in connections(of: share.link.fileID) { connection.announce(runs, of: share) }
    case .withdrawDownload(let share, let reason):
      for connection in connections(of: share.link.fileID) {
        connection.withdraw(share, because: reason)
        connection.command { _ in }
      }
    case .reconfigured:
      throttledUntil = nil
      release(heldUntil: Instant(nanoseconds: .max))
      for connection in Array(connections.values) { connection.checkAllowed() }
    case .shutDown(let code, let grace):
      stopListening()
      ending = (now + grace, code)
      for connection in Array(connections.values) { connection.shutDown() }
    }
  }

  // MARK: Connections

  private func dial(_ token: ConnectionToken, _ address: Endpoint, _ pinned: PeerID?, _ suite: CipherSuite) {
    do {
      let socket = try Socket.connecting(to: address)
      try enter(
        PeerConnection(
          loop: self, token: token, dialling: socket, address: address, pinned: pinned, suite: suite))
    } catch {
      context.control.send(.connection(token, .ended(.broken(error), wasEstablished: false, lie: .none)))
    }
  }

  func adopt(_ number: Int32, _ from: Endpoint, _ token: ConnectionToken) {
    let socket = Socket(owning: number)
    guard !isEnding else { return carryOut(context.admission { $0.end(token) }) }
    do {
      try enter(PeerConnection(loop: self, token: token, socket: socket, address: from))
    } catch {
      carryOut(context.admission { $0.end(token) })
    }
  }

  func enter(_ connection: PeerConnection) throws(Errno) {
    try epoll.add(connection.socket.number, token: connection.token.rawValue, connection.interest)
    connections[connection.token] = connection
  }

  /// Removes a connection that has closed.
  func leave(_ connection: PeerConnection) {
    try? epoll.remove(connection.socket.number)
    connections[connection.token] = nil
    turns.leave(connection.token, of: connection.group)
    held.cancel(connection.token)
    if sender === connection { sender = nil }
    dequeue(starving: connection)
  }

  /// Sets the epoll events for which the connection waits now.
  func updateInterest(_ connection: PeerConnection) {
    do { try epoll.modify(connection.socket.number, token: connection.token.rawValue, connection.interest) } catch {
      preconditionFailure("epoll: \(error)")
    }
  }

  /// Queues a connection that can send a piece of a file. The loop calls `sendPiece` when its turn comes.
  func enqueue(sender: PeerConnection, isFirst: Bool) {
    turns.enqueue(sender.token, of: sender.group, isFirst: isFirst)
  }

  /// Queues a connection that does not read until a download may take a memory block.
  func enqueue(starving connection: PeerConnection, for download: DownloadID) {
    starving.append((connection, download))
  }

  func dequeue(starving connection: PeerConnection) { starving.removeAll { $0.connection === connection } }

  /// Queues a connection that has received frames to handle in the next turn, after all connections that are ready
  /// then.
  func enqueue(reading connection: PeerConnection) { reading.append(connection) }

  /// Queues a connection that has hints to send, once for all events of this turn.
  func enqueue(hinting connection: PeerConnection) {
    if connection.marks.isQueuedToHint { return }
    connection.marks.isQueuedToHint = true
    hinting.append(connection)
  }

  private func sendHints() {
    let connections = hinting
    hinting = []
    for connection in connections { connection.sendHints() }
  }

  // MARK: Sending in turns

  /// Lets connections send one piece each in turn, within the upload limit. Each loop has its own turns, of connections
  /// that could send at once: one order over all loops would make them wait for one another. Two counts do span all
  /// loops: the bytes that an address got (`UploadShares`), and the chunks that were promised to a peer
  /// (`ContentSwarms`).
  private func sendPieces() {
    release(heldUntil: now)
    if let until = throttledUntil {
      guard now >= until else { return }
      throttledUntil = nil
    }
    for _ in 0..<NetworkLoop.piecesPerTurn {
      if sender == nil { sender = context.uploadLimiter.next(of: &turns).flatMap { connections[$0] } }
      guard let sender else { return }
      if context.outboxes.isFull {  // until peers have read some of it, or have gone
        throttledUntil = now + .milliseconds(5)
        return
      }
      switch pace(of: sender) {
      case .wait(let wait):
        throttledUntil = now + max(wait, .milliseconds(1))
        return
      case .hold(let wait):
        self.sender = nil
        held.set(sender.token, at: now + max(wait, .milliseconds(1)))
        sender.isHeld()
      case .send:
        self.sender = nil
        sender.sendPiece()
      }
    }
  }

  private func pace(of sender: PeerConnection) -> UploadLimiter.Pace {
    guard let bytes = sender.nextUploadBytes else { return .send }
    return context.uploadLimiter.pace(bytes, to: sender.group, at: sender.address.ip, on: index)
  }

  /// Lets connections take turns again that their peers' limits held until this time.
  private func release(heldUntil time: Instant) {
    while let token = held.popDue(at: time) { connections[token]?.isReleased() }
  }

  // MARK: Deadlines

  private func checkDeadlines() {
    nextTick = now + NetworkLoop.tick
    listenAgainIfDue()
    for connection in Array(connections.values) { connection.checkDeadlines() }
    introduceAll()
  }
}
