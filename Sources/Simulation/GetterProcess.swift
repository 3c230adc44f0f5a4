// One process of the getter. It performs what DownloadState and the sessions decide, as the node's threads do.
import Content
import Transfer
import Wire

/// A process that can be killed. Its connections end with it; what it wrote stays on the disk.
final class GetterProcess: SimulatedNode {
  let getter: Getter
  private let plan: GetterPlan
  private let pages: PageLayout
  /// Nil if the process is dead.
  private var storage: GetterStorage!
  private(set) var state: DownloadState
  private var rules: RuleBook
  var connectionRules: ConnectionRules
  private(set) var isDead = false
  private var chunkHashes: KnownChunkHashes
  private var timer: Instant?
  private var blocksInUse = 0
  var starving: [NodeEnd] = []
  private var ending: Ending?

  init(_ getter: Getter, number: Int) {
    self.getter = getter
    let world = getter.world
    let scenario = getter.scenario
    plan = scenario.getter
    pages = PageLayout(scenario.layout, chunksPerPage: scenario.chunksPerPage)
    chunkHashes = KnownChunkHashes(pages)
    state = DownloadState(
      settings: scenario.settings, generator: SeededGenerator(seed: scenario.seed &+ UInt64(number) << 32),
      at: world.time)
    rules = RuleBook(scenario, at: world.time)
    connectionRules = ConnectionRules(own: GetterProcess.id(in: scenario))
    var generator = SeededGenerator(seed: UInt64(number))
    super.init(
      "getter", GetterProcess.id(in: scenario), world: world, file: getter.file, isComplete: false,
      inboundMax: ConnectionPlaces.establishedStandard, generator: &generator)
    storage = GetterStorage(self, getter, pages: pages)
  }

  func start() {
    for peer in getter.peers {
      if peer.plan.has(.dialsIn) || peer.plan.has(.dialsToo) {
        peer.dialIn = { [weak self] in self?.accept(peer) }
        world.after(peer.plan.delay) { peer.dialIn?() }
      }
      if peer.plan.has(.dialsIn) { continue }
      let isPinned = peer.plan.number % 3 == 0 && !peer.plan.has(.changesIdentity)
      let pinned = peer.plan.has(.wrongPeer) ? PeerID(digest: .zero) : isPinned ? peer.plan.id : nil
      let addresses = peer.plan.addresses
      handle(peer.plan.naming(addresses[0], pinned: pinned))
      // The download learns the other addresses later.
      for address in addresses.dropFirst() {
        world.after(peer.plan.begins) { [self] in handle(peer.plan.naming(address, pinned: nil)) }
      }
    }
    handle(.discoveryFinished)
  }

  func cancel() { handle(.cancelledByUser) }

  /// Ends the process. Its kernel closes the connections, unless the machine has lost power.
  func die(tells: Bool) {
    for end in ends.sorted(by: { $0.id < $1.id }) {
      if tells, let other = end.other { world.after(delay(to: end)) { other.node.lost(other, .reset) } }
    }
    forget()
  }

  func forget() {
    isDead = true
    storage = nil
    forgetConnections()
    starving = []
  }

  // MARK: The brain

  /// Passes an event of a thread to the brain, a little later and in order.
  func tell(_ event: DownloadEvent) {
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
    case .fetchPage(let page, let id): command(id) { $0.command { $0.fetchPage(page.rawValue, of: $1) } }
    case .request(let id, let request, let chunk, let leaves, let needed):
      guard let hash = chunkHashes.hash(of: chunk) else {
        return world.violate("chunk \(chunk.rawValue) is asked for before its hash is known")
      }
      getter.hold { $0.fetch(needed, of: chunk) }
      let known = held.leafHashes(of: chunk) ?? file.layout.folder?.knownLeafHashes(of: chunk)
      let asked = FetchRequest(
        id: request, chunk: chunk, leaves: leaves, needed: needed, chunkHash: hash, leafHashes: known)
      command(id) { $0.command { $0.request(asked, of: $1) } }
    case .cancel(let id, let request): command(id) { $0.command { $0.cancel(request, of: $1) } }
    case .disconnect(let id, let reason): giveUp(id, reason)
    case .report, .filesCompleted: break
    case .finished(let stats): end(.finished(stats))
    case .failed(let failure, let stats): end(.failed(failure, stats))
    }
  }

  private func end(_ ending: Ending) {
    for end in ends.sorted(by: { $0.id < $1.id }) { sayGoodbye(.done, on: end) }
    self.ending = ending
    settle()
  }

  /// Waits until the pieces that have arrived are written and the brain has their events. Then the disk gets its final
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

  override func lost(_ end: NodeEnd, _ reason: LossReason) {
    guard !isDead, end.isOpen else { return }
    close(end)
    reportLoss(of: end, reason)
  }

  override func hangUp(_ end: NodeEnd, _ code: CloseCode) {
    sayGoodbye(code, on: end)
    reportLoss(of: end, .closed)
  }

  override func send(_ message: Message, _ payload: [UInt8] = [], on end: NodeEnd) {
    guard let other = end.other else { return }
    let packet = Packet(message, payload)
    world.at(end.departures.due(world.time + delay(to: end))) { other.node.receive(packet, on: other) }
  }

  // MARK: Receiving

  override func receive(_ packet: Packet, on end: NodeEnd) {
    guard !isDead, end.isOpen else { return }
    end.timers.received(packet.byteCount, at: world.time)
    end.arrivals.waiting.append(packet)
    drain(end)
  }

  private func drain(_ end: NodeEnd) {
    while end.isOpen, !end.arrivals.waiting.isEmpty {
      guard blocksInUse < plan.blocksMax || !end.driver.session.isFetching else {
        if !starving.contains(where: { $0 === end }) { starving.append(end) }
        return
      }
      let packet = end.arrivals.waiting.removeFirst()
      do throws(WireError) {
        guard let message = try end.arrivals.read(packet) else { return world.violate("a frame is cut short") }
        end.driver.receive(message, at: world.time)
        perform(on: end)
        judge(end)
        guard case .data = message, end.isOpen else { continue }
        end.driver.payloadEnded()
        perform(on: end)
      } catch {
        ended(end, .violation("\(error)"))
      }
    }
  }

  override var openAnswer: OpenAnswer { .noSuchFile }

  override func ended(_ end: NodeEnd, _ reason: SessionEnd) {
    world.note("session \(end.id.rawValue) ends: \(reason)")
    switch reason {
    case .remote: close(end)
    case .violation: sayGoodbye(.protocolError, on: end)
    case .lied:
      sayGoodbye(.badData, on: end)
      noteLie(of: end)
    }
    tell(DownloadEvent(reason, of: end.id))
    replace(end)
  }

  private func noteLie(of end: NodeEnd) {
    if server(end)?.hasLied != true { world.violate("honest \(end.peer.node.name) is taken for a liar") }
  }

  override func hear(_ news: PeerNews, on end: NodeEnd) {
    let id = end.id
    guard case .page(let page) = news else { return tell(DownloadEvent(news, from: id)) }
    storage.arrived(page)
    let isCompared = storage.isResumed && !chunkHashes.has(page.index)
    if !isCompared { chunkHashes.add(page) }
    tell(DownloadEvent(news, from: id, isCompared: isCompared))
    if isCompared { storage.compare(page, from: id) }
  }

  /// Leaves of a page's chunks were found on the disk. `id` is nil if the page came from the journal.
  func compared(_ page: HashPage, _ leaves: [(chunk: ChunkIndex, mask: UInt64)], from id: ConnectionID?) {
    chunkHashes.add(page)
    resumed(leaves)
    handle(.pageVerified(page.index, from: id))
  }

  /// Leaves of shared chunks were found on the disk.
  func comparedShared(_ leaves: [(chunk: ChunkIndex, mask: UInt64)], isLast: Bool) {
    resumed(leaves)
    if isLast { handle(.sharedChunksCompared) }
  }

  private func resumed(_ leaves: [(chunk: ChunkIndex, mask: UInt64)]) {
    for (chunk, mask) in leaves {
      let leafHashes = chunkHashes.hash(of: chunk).flatMap {
        storage.resume.leafHashes(of: chunk, hash: $0, in: file.layout)
      }
      held.add(mask, of: chunk, leafHashes: leafHashes)
    }
    handle(.resumed(leaves))
  }

  // MARK: Verifying and writing

  override func verify(_ piece: FetchedPiece, on end: NodeEnd) {
    let bytes = end.arrivals.payload.take() ?? []
    blocksInUse += 1
    // Several threads do this, so a later piece may be ready first.
    let delay = plan.diskDelay + .microseconds(Int64.random(in: 0...500, using: &world.generator))
    world.after(delay) { [self] in
      guard !isDead else { return }
      blocksInUse -= 1
      finish(piece, bytes, of: end)
      let waiting = starving
      starving = []
      for end in waiting { drain(end) }
      settle()
    }
  }

  /// The reader of the stream has taken all wanted bytes below this offset.
  func readerTook(below offset: UInt64) {
    tell(.consumed(below: ChunkIndex(UInt32(file.layout.chunkCount(below: offset)))))
  }

  private func finish(_ piece: FetchedPiece, _ bytes: [UInt8], of end: NodeEnd) {
    guard piece.isMatched(by: bytes.span.bytes) else {
      noteLie(of: end)
      return tell(.lied(end.id))
    }
    guard storage.write(bytes, of: piece) else { return tell(.writeFailed) }
    if let below = storage.passedOnBelow { readerTook(below: below) }
    world.after(plan.mailboxDelay) { [self] in
      storage?.verified(piece)
      if !isDead { held.add(piece.needed, of: piece.chunk, leafHashes: piece.chunkLeafHashes) }
      handle(.leavesVerified(end.id, piece.request, piece.chunk, piece.leaves, needed: piece.needed))
    }
  }
}
