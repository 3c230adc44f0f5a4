// One process of the getter: performs what DownloadState and the sessions decide, as the node's threads do.
import Content
import Transfer
import Wire

/// Dies with its connections; what it wrote stays on the disk.
final class GetterProcess {
  let getter: Getter
  let world: World
  let file: SimulatedFile
  private let plan: GetterPlan
  private let pages: PageLayout
  /// Nil when the process is dead.
  private var storage: GetterStorage!
  private var state: DownloadState
  private var rules: RuleBook
  private(set) var isDead = false
  private var connections: [ConnectionID: Connection] = [:]
  private var chunkHashes: [PageIndex: [Digest]] = [:]
  private var timer: Instant?
  private var blocksInUse = 0
  private var starving: [Connection] = []
  private var written: [UInt64]
  private var consumed = 0
  private var ending: Ending?
  private var inboundCount: UInt64 = 0

  init(_ getter: Getter, number: Int) {
    self.getter = getter
    world = getter.world
    file = getter.file
    let scenario = getter.scenario
    plan = scenario.getter
    pages = PageLayout(scenario.layout, chunksPerPage: scenario.chunksPerPage)
    state = DownloadState(
      settings: scenario.settings, generator: SeededGenerator(seed: scenario.seed &+ UInt64(number) << 32),
      at: world.time)
    rules = RuleBook(scenario, at: world.time)
    written = Array(repeating: 0, count: scenario.layout.chunkCount)
    storage = GetterStorage(self, getter, pages: pages)
  }

  func start() {
    for peer in getter.peers {
      if peer.plan.has(.dialsIn) {
        peer.dialIn = { [weak self] in self?.accept(peer) }
        world.after(peer.plan.delay) { peer.dialIn?() }
        continue
      }
      let isPinned = peer.plan.number % 3 == 0 && !peer.plan.has(.changesIdentity)
      let pinned = peer.plan.has(.wrongPeer) ? PeerID(digest: .zero) : isPinned ? peer.plan.id : nil
      let addresses = peer.plan.addresses
      handle(peer.plan.naming(addresses[0], pinned: pinned))
      // Others are heard of later.
      for address in addresses.dropFirst() {
        world.after(peer.plan.begins) { [self] in handle(peer.plan.naming(address, pinned: nil)) }
      }
    }
    handle(.discoveryFinished)
  }

  func cancel() { handle(.cancelledByUser) }

  /// The process is gone; its kernel tells the peers, unless the machine is gone as well.
  func die(tells: Bool) {
    for connection in connections.values.sorted(by: { $0.id < $1.id }) {
      connection.isOpenHere = false
      if tells { world.after(connection.peer.plan.delay) { connection.peer.forget(connection) } }
    }
    forget()
  }

  func forget() {
    isDead = true
    storage = nil
    connections = [:]
    starving = []
  }

  // MARK: The brain

  /// An event of a thread reaches the brain a little later, in order.
  private func tell(_ event: DownloadEvent) {
    world.after(plan.mailboxDelay) { [self] in handle(event) }
  }

  func handle(_ event: DownloadEvent) {
    guard !isDead, !state.isEnded else { return }
    world.note("< \(event)")
    rules.expect(event, at: world.time)
    state.handle(event, at: world.time)
    while let action = state.nextAction() {
      world.note("> \(action)")
      rules.see(action, at: world.time)
      perform(action)
    }
    if let broken = rules.verdict(after: event, at: world.time) { world.violate(broken) }
    setTimer()
  }

  private func setTimer() {
    guard !isDead, let deadline = state.deadline, timer != deadline else { return }
    timer = deadline
    world.at(deadline) { [self] in
      guard timer == deadline, !isDead else { return }
      timer = nil
      handle(.timerFired)
    }
  }

  private func perform(_ action: DownloadAction) {
    switch action {
    case .dial(let address, _, let id): dial(address, id)
    case .open(let id): command(id) { $0.open() }
    case .prepareStorage: world.after(plan.diskDelay) { [self] in storage?.prepare() }
    case .fetchPage(let page, let id): command(id) { $0.fetchPage(page.rawValue) }
    case .request(let id, let request, let chunk, let leaves, _):
      guard let hashes = chunkHashes[pages.page(of: chunk)] else {
        return world.violate("chunk \(chunk.rawValue) is asked for before its hash is known")
      }
      let hash = hashes[Int(chunk.rawValue) % pages.chunksPerPage]
      getter.hold { $0.fetch(leaves, of: chunk) }
      command(id) { $0.request(FetchRequest(id: request, chunk: chunk, leaves: leaves, chunkHash: hash)) }
    case .cancel(let id, let request): command(id) { $0.cancel(request) }
    case .disconnect(let id, let reason):
      guard let connection = connections[id] else { return }
      hangUp(connection, reason == .banned ? .badData : .done)
      tell(.connectionLost(id, .closed))
    case .report: break
    case .finished(let stats): end(.finished(stats))
    case .failed(let failure, let stats): end(.failed(failure, stats))
    }
  }

  private func end(_ ending: Ending) {
    for connection in connections.values.sorted(by: { $0.id < $1.id }) { hangUp(connection, .done) }
    self.ending = ending
    settle()
  }

  /// Pieces that have arrived are still written, and their events still reach the brain. Then the disk is put in its final
  /// state.
  private func settle() {
    guard let ending, blocksInUse == 0 else { return }
    world.after(plan.mailboxDelay) { [self] in
      guard !isDead else { return }
      let (stats, isComplete) =
        switch ending {
        case .finished(let stats): (stats, !storage.hasFailed)
        case .failed(_, let stats): (stats, false)
        }
      storage.end(isComplete: isComplete) { [self] in
        getter.ended(storage.hasFailed ? .failed(.storage, stats) : ending)
      }
    }
  }

  // MARK: Connections

  private func dial(_ address: PeerAddress, _ id: ConnectionID) {
    guard let peer = getter.peers.first(where: { $0.plan.addresses.contains(address) }) else {
      return world.violate("an address is dialled that nobody has")
    }
    let failures: [(Fault, DialFailure)] = [
      (.refusesDials, .refused), (.unreachable, .unreachable), (.notAdmitted, .notAdmitted), (.wrongPeer, .wrongPeer),
      (.ourselves, .ourselves),
    ]
    let roundTrip = peer.plan.delay * 2
    if let (_, failure) = failures.first(where: { peer.plan.has($0.0) }) {
      return world.after(roundTrip) { [self] in handle(.dialFailed(id, failure)) }
    }
    world.after(roundTrip) { [self] in
      guard !isDead else { return }
      switch peer.reception() {
      case .refused: handle(.dialFailed(id, .refused))
      case .silent:
        let ends = ConnectionTimers(at: world.time).handshakeEndsAt
        world.at(ends) { [self] in handle(.dialFailed(id, .timedOut)) }
      case .accepted:
        let connection = enter(id, peer)
        tell(.connected(id, connection.peerID, requestsMax: peer.plan.requestsMax))
      }
    }
  }

  /// A peer has dialled, and knows the file.
  private func accept(_ peer: ServingPeer) {
    guard !isDead, !state.isEnded, peer.reception() == .accepted else { return }
    let id = ConnectionID(ConnectionID.firstInbound.rawValue + inboundCount)
    inboundCount += 1
    let connection = enter(id, peer)
    tell(
      .connected(id, connection.peerID, requestsMax: peer.plan.requestsMax, from: peer.plan.addresses[0].ip))
  }

  private func enter(_ id: ConnectionID, _ peer: ServingPeer) -> Connection {
    let connection = Connection(id, to: peer, of: self, file: file)
    connections[id] = connection
    peer.enter(connection)
    watch(connection)
    return connection
  }

  /// Ends the connection when it is idle, as the node does. A peer that is there has answered PING meanwhile.
  private func watch(_ connection: Connection) {
    world.at(connection.timers.idleAt) { [self] in
      guard connection.isOpenHere, !isDead else { return }
      if connection.isOpenThere && connection.peer.reception() == .accepted {
        connection.timers.received(Connection.pongByteCount, at: world.time)
      }
      let due = connection.timers.due(isSending: false, isReading: true, isInTheWay: false, at: world.time)
      if case .goodbye = due { lost(connection, .idle) } else { watch(connection) }
    }
  }

  func lost(_ connection: Connection, _ reason: LossReason) {
    guard !isDead, connection.isOpenHere else { return }
    close(connection)
    tell(.connectionLost(connection.id, reason))
  }

  private func close(_ connection: Connection) {
    connection.isOpenHere = false
    connection.fetching.end()
    connection.inbox = []
    connections[connection.id] = nil
    starving.removeAll { $0 === connection }
  }

  private func hangUp(_ connection: Connection, _ code: CloseCode) {
    send(.goodbye(Goodbye(code: code, text: "")), on: connection)
    close(connection)
  }

  private func command(_ id: ConnectionID, _ change: (inout PeerSession) -> Void) {
    guard let connection = connections[id] else { return }
    change(&connection.fetching.session)
    perform(on: connection)
  }

  private func send(_ message: Message, on connection: Connection) {
    let packet = Connection.packet(message)
    connection.lastArrivalThere = max(connection.lastArrivalThere, world.time + connection.peer.plan.delay)
    world.at(connection.lastArrivalThere) { connection.peer.receive(packet, on: connection) }
  }

  // MARK: Receiving

  func receive(_ packet: Packet, on connection: Connection) {
    guard !isDead, connection.isOpenHere else { return }
    connection.timers.received(packet.frame.count + packet.payload.count, at: world.time)
    connection.inbox.append(packet)
    drain(connection)
  }

  private func drain(_ connection: Connection) {
    while connection.isOpenHere, !connection.inbox.isEmpty {
      guard blocksInUse < plan.blocksMax || !connection.fetching.session.isFetching else {
        if !starving.contains(where: { $0 === connection }) { starving.append(connection) }
        return
      }
      let packet = connection.inbox.removeFirst()
      do throws(WireError) {
        guard let message = try connection.decode(packet) else { return world.violate("a frame is cut short") }
        connection.payload = packet.payload
        connection.fetching.receive(message, at: world.time)
        perform(on: connection)
        guard case .data = message, connection.isOpenHere else { continue }
        connection.fetching.payloadEnded()
        perform(on: connection)
      } catch {
        end(connection, .violation("\(error)"))
      }
    }
  }

  private func perform(on connection: Connection) {
    while connection.isOpenHere, let action = connection.fetching.nextAction() {
      switch action {
      case .send(let message):
        send(message, on: connection)
        connection.fetching.queued(message, outboxByteCount: 0)
      case .tell(let news): tell(news, of: connection)
      case .lookUp(let open): connection.fetching.answer(open, .noSuchFile, at: world.time)
      case .admit, .promise, .settle: world.violate("the getter serves nothing")
      case .expectPayload(let isWanted): if !isWanted { connection.payload = nil }
      case .verify(let piece): verify(piece, of: connection)
      case .close(let end): self.end(connection, end)
      }
    }
  }

  private func end(_ connection: Connection, _ end: SessionEnd) {
    world.note("session \(connection.id.rawValue) ends: \(end)")
    switch end {
    case .there(let code, _):
      close(connection)
      tell(.connectionLost(connection.id, .goodbye(code.rawValue)))
    case .violation:
      hangUp(connection, .protocolError)
      tell(.connectionLost(connection.id, .violation))
    case .lied:
      hangUp(connection, .badData)
      tellLie(of: connection)
    }
  }

  private func tellLie(of connection: Connection) {
    if !connection.peer.hasLied { world.violate("honest \(connection.peer.name) is taken for a liar") }
    tell(.lied(connection.id))
  }

  private func tell(_ news: PeerNews, of connection: Connection) {
    let id = connection.id
    switch news {
    case .opened(let manifest, let isComplete): tell(.opened(id, manifest.layout, isComplete: isComplete))
    case .refused(.noSuchFile): tell(.notFound(id))
    case .refused(.tooManyFilesOpen): tell(.refused(id, .tooManyFiles))
    case .refused(.notAllowed): tell(.refused(id, .notAllowed))
    case .page(let page): received(page, from: id)
    case .busy(let request, let retryAfter): tell(.busy(id, request, retryAfter: retryAfter))
    case .withdrawn: tell(.withdrawn(id))
    case .answerBegan(let request): tell(.answerBegan(id, request))
    case .answerEnded(let request): tell(.answerEnded(id, request))
    case .have(let runs): tell(.have(id, runs))
    case .bitmap(let bitmap): tell(.bitmap(id, bitmap))
    case .promised(let chunks): tell(.promised(id, chunks))
    case .peers(let entries): tell(.peers(id, entries))
    }
  }

  private func received(_ page: HashPage, from id: ConnectionID) {
    storage.arrived(page)
    guard storage.isResumed, chunkHashes[page.index] == nil else {
      chunkHashes[page.index] = page.chunkHashes
      return tell(.pageVerified(page.index, from: id))
    }
    tell(.pageArrived(page.index, from: id))
    storage.compare(page, from: id)
  }

  /// The leaves of a page's chunks that are on the disk. Nil: the journal had the page.
  func compared(_ page: HashPage, _ leaves: [(chunk: ChunkIndex, mask: UInt64)], from id: ConnectionID?) {
    chunkHashes[page.index] = page.chunkHashes
    handle(.resumed(leaves))
    handle(.pageVerified(page.index, from: id))
  }

  // MARK: Verifying and writing

  private func verify(_ piece: FetchedPiece, of connection: Connection) {
    let bytes = connection.payload ?? []
    connection.payload = nil
    blocksInUse += 1
    // Several threads do this: a later piece may be done sooner.
    let delay = plan.diskDelay + .microseconds(Int64.random(in: 0...500, using: &world.generator))
    world.after(delay) { [self] in
      guard !isDead else { return }
      blocksInUse -= 1
      finish(piece, bytes, of: connection)
      let waiting = starving
      starving = []
      for connection in waiting { drain(connection) }
      settle()
    }
  }

  private func finish(_ piece: FetchedPiece, _ bytes: [UInt8], of connection: Connection) {
    guard piece.isMatched(by: bytes.span.bytes, leafSize: file.layout.leafSize) else { return tellLie(of: connection) }
    guard storage.write(bytes, of: piece) else { return tell(.writeFailed) }
    written[Int(piece.chunk.rawValue)] |= piece.leaves.mask
    while consumed < written.count, written[consumed] == file.layout.leaves(of: ChunkIndex(UInt32(consumed))).mask {
      consumed += 1
    }
    if getter.scenario.settings.isStream { tell(.consumed(below: ChunkIndex(UInt32(consumed)))) }
    world.after(plan.mailboxDelay) { [self] in
      storage?.verified(piece)
      handle(.leavesVerified(connection.id, piece.request, piece.chunk, piece.leaves))
    }
  }
}

extension PeerPlan {
  /// The getter is told of an address: by the user, or by a discovery.
  fileprivate func naming(_ address: PeerAddress, pinned: PeerID?) -> DownloadEvent {
    isHinted ? .addressHinted(address, pinned ?? id) : .addressAdded(address, pinned: pinned)
  }
}
