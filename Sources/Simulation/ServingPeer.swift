// A peer that serves, with its link, its disk and its faults: the shell of the node in virtual time.
import Content
import Transfer
import Wire

/// One process that serves the file, and that may stop, restart or lie.
final class ServingPeer {
  /// What a dial comes to.
  enum Reception { case accepted, refused, silent }

  let plan: PeerPlan
  let world: World
  let file: SimulatedFile
  private(set) var isUp = true
  private(set) var isFrozen = false
  private(set) var hasWithdrawn = false
  private(set) var isLeaving = false
  /// Whether it ever sent something that is not so.
  var hasLied = false
  private(set) var openMax = 0
  private var connections: [Connection] = []
  private var freeAt = Instant.zero
  private var isPumping = false
  private var nextTurn = 0
  /// What arrived while it was stopped.
  private var unread: [(Connection, Packet)] = []
  private var identityCount = 0
  /// Makes a stranger dial the getter's present process.
  var dialIn: (() -> Void)?

  init(_ plan: PeerPlan, file: SimulatedFile, world: World) {
    self.plan = plan
    self.file = file
    self.world = world
    scheduleFaults()
  }

  // MARK: Its fate

  private func scheduleFaults() {
    let begins = Instant.zero + plan.begins
    for reset in plan.resets { world.at(.zero + reset) { [self] in cutAll(after: plan.delay, .reset) } }
    if plan.has(.crashes) { world.at(begins) { [self] in stop(tells: true) } }
    if plan.has(.losesPower) { world.at(begins) { [self] in stop(tells: false) } }
    if plan.has(.leaves) { world.at(begins) { [self] in leave() } }
    if plan.has(.isStopped) { world.at(begins) { [self] in isFrozen = true } }
    if plan.has(.withdraws) { world.at(begins) { [self] in withdraw() } }
    guard let ends = plan.ends else { return }
    world.at(.zero + ends) { [self] in restart() }
  }

  private func restart() {
    world.note("\(name) restarts")
    if plan.has(.crashes) || plan.has(.losesPower) { isUp = true }
    guard isFrozen else { return }
    isFrozen = false
    let waiting = unread
    unread = []
    for (connection, packet) in waiting { read(packet, on: connection) }
    pump()
  }

  private func stop(tells: Bool) {
    world.note("\(name) stops")
    isUp = false
    if tells { cutAll(after: plan.delay, .reset) }
    for connection in connections { connection.isOpenThere = false }
    connections = []
    unread = []
  }

  private func leave() {
    world.note("\(name) leaves")
    isLeaving = true
    for connection in connections {
      connection.serving.session.shutDown()
      send(.goodbye(Goodbye(code: .shuttingDown, text: "")), on: connection)
      connection.isOpenThere = false
    }
    connections = []
    isUp = false
  }

  private func withdraw() {
    world.note("\(name) withdraws")
    hasWithdrawn = true
    for connection in connections {
      connection.serving.session.withdraw(FileHandle(1), .changed)
      perform(on: connection)
    }
  }

  private func cutAll(after delay: Duration, _ reason: LossReason) {
    let cut = connections
    connections = []
    for connection in cut {
      connection.isOpenThere = false
      world.after(delay) { connection.getter.lost(connection, reason) }
      comeBack()
    }
  }

  // MARK: Being dialled

  var name: String { "peer\(plan.number)" }

  func nextIdentity() -> PeerID {
    identityCount += 1
    return plan.id(ofConnection: identityCount)
  }

  /// A stranger whose connection has ended comes back.
  private func comeBack() {
    guard plan.has(.dialsIn) else { return }
    world.after(plan.returnsAfter) { [self] in dialIn?() }
  }

  private func isTimeToClose(at stage: PeerPlan.Stage) -> Bool { plan.has(.closesWhenAsked) && plan.closesAt == stage }

  /// Closes a connection without a word.
  private func close(_ connection: Connection) {
    world.note("\(name) closes \(connection.id.rawValue)")
    forget(connection)
    world.after(plan.delay) { connection.getter.lost(connection, .closed) }
  }

  func reception() -> Reception {
    if isFrozen || (!isUp && plan.has(.losesPower)) { return .silent }
    return isUp ? .accepted : .refused
  }

  func enter(_ connection: Connection) { connections.append(connection) }

  // MARK: Receiving

  func receive(_ packet: Packet, on connection: Connection) {
    guard connection.isOpenThere else {
      // Its kernel knows of no such connection, or is not there.
      if isUp && !isFrozen { world.after(plan.delay) { connection.getter.lost(connection, .reset) } }
      return
    }
    if isFrozen { return unread.append((connection, packet)) }
    read(packet, on: connection)
  }

  private func read(_ packet: Packet, on connection: Connection) {
    guard connection.isOpenThere else { return }
    do throws(WireError) {
      guard let message = try connection.decodeThere(packet) else { return world.violate("a frame is cut short") }
      answer(message, on: connection)
    } catch {
      world.violate("the getter sends what is no frame: \(error)")
    }
  }

  private func answer(_ message: Message, on connection: Connection) {
    switch message {
    case .open where isTimeToClose(at: .open), .pageGet where isTimeToClose(at: .page),
      .request where isTimeToClose(at: .request):
      return close(connection)
    case .open where plan.has(.ignoresOpen), .pageGet where plan.has(.ignoresPages): return
    case .request(let request) where plan.has(.isBusy) && isDuringFault:
      return send(.busy(Busy(id: request.id, retryAfterMilliseconds: plan.retryAfterMilliseconds)), on: connection)
    case .request(let request) where plan.has(.givesBack) && isDuringFault:
      return world.after(plan.holdTime) { [self] in giveBack(request.id, on: connection) }
    case .request where plan.has(.answersLate):
      return world.after(.seconds(40)) { [self] in
        guard connection.isOpenThere else { return }
        connection.serving.receive(message, at: world.time)
        perform(on: connection)
      }
    default: break
    }
    connection.serving.receive(message, at: world.time)
    perform(on: connection)
  }

  /// Ends a request without an answer, in a way that an honest peer may use too.
  private func giveBack(_ request: RequestID, on connection: Connection) {
    guard connection.isOpenThere, isUp, !isFrozen else { return }
    switch plan.givesBackBy {
    case .busy:
      send(.busy(Busy(id: request, retryAfterMilliseconds: plan.retryAfterMilliseconds)), on: connection)
    case .done: sayGoodbye(.done, on: connection)
    case .tooManyConnections: sayGoodbye(.tooManyConnections, on: connection)
    case .withdrawn:
      connection.serving.session.withdraw(FileHandle(1), .changed)
      perform(on: connection)
    }
  }

  private func sayGoodbye(_ code: CloseCode, on connection: Connection) {
    send(.goodbye(Goodbye(code: code, text: "")), on: connection)
    forget(connection)
  }

  private var isDuringFault: Bool {
    let time = world.time
    return time >= .zero + plan.begins && plan.ends.map { time < .zero + $0 } ?? true
  }

  private func perform(on connection: Connection) {
    while connection.isOpenThere, let action = connection.serving.nextAction() {
      switch action {
      case .send(let message):
        send(message, on: connection)
        connection.serving.queued(message, outboxByteCount: 0)
      case .lookUp(let open): look(open, on: connection)
      case .close(.there): forget(connection)
      case .close(let end):
        world.violate("the getter is an honest peer, but \(name) says \(end)")
        forget(connection)
      case .admit(let request): connection.serving.admit(request, .yes)
      case .promise, .settle: break
      case .tell, .expectPayload, .verify: world.violate("\(name) fetches nothing")
      }
    }
    pump()
  }

  private func look(_ open: Open, on connection: Connection) {
    let isHere = !plan.has(.lacksFile) && !hasWithdrawn && connection.serving.session.isMeant(file.served.key, by: open)
    if plan.has(.refusesOpen) {
      return send(.opened(Opened(handle: open.handle, outcome: .refused(refusal))), on: connection)
    }
    let served = plan.has(.claimsLastChunk) ? file.servedLastChunk : file.served
    connection.serving.answer(open, isHere ? .file(served) : .noSuchFile, at: world.time)
  }

  private var refusal: Opened.Refusal { plan.number % 2 == 0 ? .notAllowed : .tooManyFilesOpen }

  func forget(_ connection: Connection) {
    guard connection.isOpenThere else { return }
    connection.isOpenThere = false
    connections.removeAll { $0 === connection }
    comeBack()
  }

  // MARK: Sending

  /// Sends the next page or piece when the link is free: what is cancelled before is not sent.
  private func pump() {
    guard !isPumping, isUp, !isFrozen,
      let next = connections.filter({ $0.serving.session.hasUploads }).map(\.pausedUntil).min()
    else { return }
    isPumping = true
    world.at(max(world.time + plan.diskDelay, freeAt, next)) { [self] in
      isPumping = false
      guard isUp, !isFrozen else { return }
      sendNext()
      pump()
    }
  }

  private func sendNext() {
    let ready = connections.filter { $0.serving.session.hasUploads && $0.pausedUntil <= world.time }
    guard !ready.isEmpty else { return }
    nextTurn += 1
    let connection = ready[nextTurn % ready.count]
    switch connection.serving.nextUpload() {
    case .page(let handle, let index)?:
      guard let page = file.tree.page(index) else { return world.violate("a page that the file has not") }
      send(.page(PageAnswer(page, of: handle)), on: connection)
    case .piece(let piece)?:
      connection.piecesSent += 1
      if plan.has(.goesSilent), connection.piecesSent > plan.number + 2 { return }
      if isTimeToClose(at: .data), connection.piecesSent > plan.number % 3 { return close(connection) }
      if plan.has(.dribbles) { connection.pausedUntil = world.time + plan.dribblePause }
      let bytes = file.bytes(of: piece.leaves, in: piece.chunk)
      let hashes = piece.includesLeafHashes ? file.leafHashes[Int(piece.chunk.rawValue)] : []
      send(.data(piece.header(leafHashes: hashes, byteCount: bytes.count)), bytes, on: connection)
      _ = connection.serving.sent(piece, byteCount: bytes.count, at: world.time)
    case nil: break
    }
  }

  private func send(_ message: Message, _ payload: [UInt8] = [], on connection: Connection) {
    let (message, payload) = distort(message, payload)
    world.note("\(name) \(connection.id.rawValue) sends \(message)")
    let packet = Connection.packet(message, payload)
    // Leaves are 16 KiB on the link, whatever they are in memory.
    let cost = packet.frame.count + payload.count * (ChunkLayout.wireLeafSize / file.layout.leafSize)
    freeAt = max(freeAt, world.time) + .nanoseconds(Int64(Double(cost) / plan.bytesPerSecond * 1e9))
    var arrival = freeAt + plan.delay
    if plan.jitter > .zero {
      arrival = arrival + .nanoseconds(Int64.random(in: 0...plan.jitter.wholeNanoseconds, using: &world.generator))
    }
    for stall in plan.stalls where stall.contains(arrival) { arrival = stall.upperBound }
    connection.lastArrival = max(connection.lastArrival, arrival)
    world.at(connection.lastArrival) { connection.getter.receive(packet, on: connection) }
  }
}
