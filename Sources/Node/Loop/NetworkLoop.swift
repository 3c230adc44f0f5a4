// One thread, one epoll, many connections. Everything here happens on that thread; others speak to it by mailbox.
import Posix
import Transfer
import Wire

/// A loop and its connections, confined to its own thread.
final class NetworkLoop {
  /// How often deadlines of connections are looked at: far finer than any of them.
  private static let tick = Duration.milliseconds(500)
  /// Pieces sent before the sockets are asked again: 1 MiB.
  private static let piecesPerTurn = 16
  private static let mailboxToken: UInt64 = 0
  static let listenerToken: UInt64 = 1

  let context: NodeContext
  let index: Int
  let mailbox: Mailbox<LoopCommand>
  /// Reads the files that are served.
  var files: ServedFileReader
  /// As of the last wait.
  var now: Instant

  var epoll: Epoll
  var listener: Socket?
  var nextLoop = 0
  private var clock = LoopClock()
  private var nextToken: UInt64 = 2
  private(set) var connections: [UInt64: PeerConnection] = [:]
  private var byID: [ConnectionID: PeerConnection] = [:]
  private var turns = UploadTurns()
  /// The connection that sends next; it waits for the upload limit.
  private var sender: PeerConnection?
  private var starving: [PeerConnection] = []
  private var hinting: [PeerConnection] = []
  /// Connections that have more frames at hand than one turn takes.
  private var reading: [PeerConnection] = []
  private var relieveAgainAt: Instant
  private var throttledUntil: Instant?
  /// Whether the upload limit keeps pieces back.
  var isThrottled: Bool { throttledUntil != nil }
  private var nextTick: Instant
  var listenAgainAt: Instant?
  private var endsAt: Instant?
  /// The loop ends as soon as its connections have.
  var isEnding: Bool { endsAt != nil }
  /// The code of GOODBYE when the loop ends.
  private(set) var farewell = CloseCode.shuttingDown

  /// Starts a loop on its own thread.
  static func start(_ loop: NetworkLoop) -> Thread {
    // Handed over before the thread starts, and from then on touched by that thread alone.
    nonisolated(unsafe) let loop = loop
    return Thread.start(name: "p2p-net-\(loop.index)") { loop.run() }
  }

  init(context: NodeContext, index: Int) throws(Errno) {
    self.context = context
    self.index = index
    mailbox = context.mailboxes[index]
    files = ServedFileReader(context.catalogue)
    epoll = try Epoll()
    try epoll.add(mailbox.number, token: NetworkLoop.mailboxToken, .readable)
    now = clock.now()
    nextTick = now + NetworkLoop.tick
    relieveAgainAt = now
  }

  /// Makes this loop accept, and deal the connections out to all loops. Before it starts.
  func listen(on socket: consuming Socket) throws(Errno) {
    try epoll.add(socket.number, token: NetworkLoop.listenerToken, .readable)
    listener = consume socket
  }

  private func run() {
    while turn() {}
    for connection in Array(connections.values) { connection.close(.local(farewell, "")) }
  }

  /// Waits for events and deals with them; false once it is over.
  func turn() -> Bool {
    if let endsAt, connections.isEmpty || now >= endsAt { return false }
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
    if let endsAt { due = min(due, endsAt) }
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
    default: connections[token]?.isReady(readiness)  // nil: the event is stale
    }
  }

  private func perform(_ command: LoopCommand) {
    switch command {
    case .adopt(let socket, let from, let token): adopt(socket, from, token)
    case .dial(let id, let address, let pinned, let suite, let link): dial(id, address, pinned, suite, link)
    case .open(let id): byID[id]?.open()
    case .fetchPage(let id, let page): byID[id]?.fetchPage(page)
    case .request(let id, let request): byID[id]?.request(request)
    case .cancel(let id, let request): byID[id]?.cancel(request)
    case .disconnect(let id, let code, let text): byID[id]?.close(.local(code, text))
    case .admission(let order): obey(order)
    case .blocksAvailable(let download):
      // A connection that fetches no more waits for nothing.
      let waiting = starving.filter { $0.fetching.map { $0.link.id == download } ?? true }
      starving.removeAll { $0.fetching.map { $0.link.id == download } ?? true }
      for connection in waiting { connection.goOn() }
    case .catalogueChanged:
      for connection in Array(connections.values) { connection.catalogueChanged() }
    case .withdraw(let entry, let reason):
      for connection in Array(connections.values) { connection.withdraw(entry, because: reason) }
    case .promised(let fileID, let chunk, let member):
      for connection in Array(connections.values) { connection.promised(chunk, of: fileID, to: member) }
    case .announce(let runs):
      for connection in Array(connections.values) { connection.announce(runs) }
    case .stopFetching:
      byID = [:]
      for connection in Array(connections.values) { connection.stopFetching() }
    case .withdrawDownload(let reason):
      for connection in Array(connections.values) {
        connection.withdrawDownload(because: reason)
        connection.command { _ in }
      }
    case .reconfigured:
      throttledUntil = nil
      for connection in Array(connections.values) { connection.checkAllowed() }
    case .shutDown(let code, let grace):
      stopListening()
      farewell = code
      endsAt = now + grace
      for connection in Array(connections.values) { connection.shutDown() }
    }
  }

  // MARK: Connections

  private func dial(
    _ id: ConnectionID, _ address: Endpoint, _ pinned: PeerID?, _ suite: CipherSuite, _ link: DownloadLink
  ) {
    do {
      let socket = try Socket.connecting(to: address)
      let connection = PeerConnection(
        loop: self, token: takeToken(), socket: socket, address: address, dialling: id, pinned: pinned, suite: suite,
        link: link)
      try enter(connection)
      byID[id] = connection
    } catch {
      link.send(.dialFailed(id, .broken(error)))
    }
  }

  func adopt(_ number: Int32, _ from: Endpoint, _ token: UInt64) {
    let socket = Socket(owning: number)
    guard endsAt == nil else { return carryOut(context.admission { $0.end(token) }) }
    do {
      try enter(PeerConnection(loop: self, token: token, socket: socket, address: from))
    } catch {
      carryOut(context.admission { $0.end(token) })
    }
  }

  /// A connection that came in fetches as well, under this name.
  func register(_ connection: PeerConnection, as id: ConnectionID) { byID[id] = connection }

  func enter(_ connection: PeerConnection) throws(Errno) {
    try epoll.add(connection.socket.number, token: connection.token, connection.interest)
    connections[connection.token] = connection
  }

  /// For a connection that has closed: the loop forgets it.
  func leave(_ connection: PeerConnection) {
    try? epoll.remove(connection.socket.number)
    connections[connection.token] = nil
    if let id = connection.fetching?.id { byID[id] = nil }
    turns.leave(connection.token, of: connection.group)
    if sender === connection { sender = nil }
    starving.removeAll { $0 === connection }
  }

  /// Sets the events of epoll that the connection now waits for.
  func updateInterest(_ connection: PeerConnection) {
    do { try epoll.modify(connection.socket.number, token: connection.token, connection.interest) } catch {
      preconditionFailure("epoll: \(error)")
    }
  }

  /// The connection can send a piece of a file; it is asked for it when its turn comes.
  func enqueue(sender: PeerConnection, isFirst: Bool) {
    turns.enqueue(sender.token, of: sender.group, isFirst: isFirst)
  }

  /// The connection cannot take file bytes before blocks are free.
  func enqueue(starving connection: PeerConnection) { starving.append(connection) }

  /// The connection goes on with the frames that it has at hand in the next turn, after all that are ready then.
  func enqueue(reading connection: PeerConnection) { reading.append(connection) }

  /// The connection has hints to send, once for all events of this turn.
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

  func takeToken() -> UInt64 {
    defer { nextToken += 1 }
    return nextToken
  }

  // MARK: Sending in turns

  /// Lets the senders send a piece each, as their turns come, within the upload limit. Each loop has turns of its own,
  /// of connections that could send at once: an order over all loops would make them wait for one another. Two things
  /// count over all loops nevertheless: the bytes that an address got (`UploadShares`), and the chunks that were
  /// promised to a peer (`ContentSwarms`).
  private func sendPieces() {
    if let until = throttledUntil {
      guard now >= until else { return }
      throttledUntil = nil
    }
    for _ in 0..<NetworkLoop.piecesPerTurn {
      if sender == nil { sender = context.uploadLimiter.next(of: &turns).flatMap { connections[$0] } }
      guard let sender else { return }
      if context.outboxes.isFull {  // until peers have taken some of it, or have gone
        throttledUntil = now + .milliseconds(5)
        return
      }
      if let bytes = sender.nextUploadBytes,
        let wait = context.uploadLimiter.wait(toSend: bytes, to: sender.group, on: index)
      {
        throttledUntil = now + max(wait, .milliseconds(1))
        return
      }
      self.sender = nil
      sender.sendPiece()
    }
  }

  // MARK: Deadlines

  private func checkDeadlines() {
    nextTick = now + NetworkLoop.tick
    listenAgainIfDue()
    for connection in Array(connections.values) { connection.checkDeadlines() }
    introduceAll()
  }
}
