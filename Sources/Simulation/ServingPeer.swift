// A serving peer with its link, its disk and its faults, in virtual time.
import Content
import Transfer
import Wire

/// One process that serves the file. It may stop, restart or lie.
final class ServingPeer: SimulatedNode {
  /// The result of a dial.
  enum Reception { case accepted, refused, silent }

  let plan: PeerPlan
  private(set) var isFrozen = false
  private(set) var hasWithdrawn = false
  private(set) var isLeaving = false
  /// Whether it has ever sent something untrue.
  var hasLied = false
  private var freeAt = Instant.zero
  /// Packets that arrived while it was stopped.
  private var unread: [(NodeEnd, Packet)] = []
  private var identityCount = 0
  /// Makes the peer dial the getter's current process.
  var dialIn: (() -> Void)?
  private var isComingBack = false

  init(_ plan: PeerPlan, file: SimulatedFile, world: World) {
    self.plan = plan
    var generator = SeededGenerator(seed: UInt64(plan.number))
    super.init(
      "peer\(plan.number)", plan.id, world: world, file: file, isComplete: true,
      inboundMax: ConnectionPlaces.establishedStandard, generator: &generator)
    scheduleFaults()
  }

  // MARK: Its faults

  private func scheduleFaults() {
    let begins = Instant.zero + plan.begins
    for reset in plan.resets { world.at(.zero + reset) { [self] in cutAll(after: plan.delay, .reset) } }
    if plan.has(.crashes) { world.at(begins) { [self] in stop(tells: true) } }
    if plan.has(.losesPower) { world.at(begins) { [self] in stop(tells: false) } }
    if plan.has(.leaves) { world.at(begins) { [self] in leave() } }
    if plan.has(.isStopped) { world.at(begins) { [self] in isFrozen = true } }
    if plan.has(.withdraws) { world.at(begins) { [self] in withdraw() } }
    for absence in plan.absences {
      world.at(absence.lowerBound) { [self] in stop(tells: !plan.hangsWhenAway) }
      world.at(absence.upperBound) { [self] in
        world.note("\(name) is back")
        isUp = true
      }
    }
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
    for (end, packet) in waiting { read(packet, on: end) }
    pump()
  }

  private func stop(tells: Bool) {
    world.note("\(name) stops")
    isUp = false
    if tells { cutAll(after: plan.delay, .reset) }
    forgetConnections()
    unread = []
  }

  private func leave() {
    world.note("\(name) leaves")
    isLeaving = true
    for end in ends {
      end.driver.session.shutDown()
      send(.goodbye(Goodbye(code: .shuttingDown, text: "")), on: end)
    }
    forgetConnections()
    isUp = false
  }

  private func withdraw() {
    world.note("\(name) withdraws")
    hasWithdrawn = true
    for end in ends {
      end.driver.session.withdraw(FileHandle(1), .changed)
      perform(on: end)
    }
  }

  private func cutAll(after delay: Duration, _ reason: LossReason) {
    let cut = ends
    forgetConnections()
    for end in cut {
      tellLoss(of: end, after: delay, reason)
      comeBack()
    }
  }

  // MARK: Being dialled

  /// Lets the other end learn that a connection has ended.
  private func tellLoss(of end: NodeEnd, after delay: Duration, _ reason: LossReason) {
    guard let other = end.other else { return }
    world.after(delay) { other.node.lost(other, reason) }
  }

  func nextIdentity() -> PeerID {
    identityCount += 1
    return plan.id(ofConnection: identityCount)
  }

  /// After a lost connection, a stranger dials again, and so does a peer with `dialsToo` if it has no other connection.
  private func comeBack() {
    if plan.has(.dialsIn) { return world.after(plan.returnsAfter) { [self] in dialIn?() } }
    guard plan.has(.dialsToo), ends.isEmpty, !isComingBack else { return }
    isComingBack = true
    world.after(plan.returnsAfter) { [self] in
      isComingBack = false
      dialIn?()
    }
  }

  /// If both ends have dialled, the connection that the smaller PeerID dialled stays.
  func closeDuplicates() {
    guard plan.has(.dialsToo), ends.contains(where: { $0.other?.isInbound == true }) else { return }
    for end in ends where end.other?.isInbound == false && plan.id < end.peer.peerID {
      hangUp(end, .duplicateConnection)
    }
  }

  private func isTimeToClose(at stage: PeerPlan.Stage) -> Bool { plan.has(.closesWhenAsked) && plan.closesAt == stage }

  /// Closes a connection without a GOODBYE.
  private func close(_ end: NodeEnd) {
    world.note("\(name) closes \(end.peer.id.rawValue)")
    tellLoss(of: end, after: plan.delay, .closed)
    forget(end)
  }

  func reception() -> Reception {
    if isFrozen || (!isUp && (plan.has(.losesPower) || plan.hangsWhenAway)) { return .silent }
    return isUp ? .accepted : .refused
  }

  // MARK: Receiving

  override func receive(_ packet: Packet, on end: NodeEnd) {
    guard end.isOpen else {
      // The peer's kernel resets an unknown connection, unless the machine is off.
      if isUp && !isFrozen { tellLoss(of: end, after: plan.delay, .reset) }
      return
    }
    if isFrozen { return unread.append((end, packet)) }
    read(packet, on: end)
  }

  private func read(_ packet: Packet, on end: NodeEnd) {
    guard end.isOpen else { return }
    end.timers.received(packet.byteCount, at: world.time)
    do throws(WireError) {
      guard let message = try end.arrivals.read(packet) else { return world.violate("a frame is cut short") }
      answer(message, on: end)
      judge(end)
    } catch {
      world.violate("the getter sends what is no frame: \(error)")
    }
  }

  private func answer(_ message: Message, on end: NodeEnd) {
    switch message {
    case .open where isTimeToClose(at: .open), .pageGet where isTimeToClose(at: .page),
      .request where isTimeToClose(at: .request):
      return close(end)
    case .open where plan.has(.turnsAway) && isDuringFault: return sayGoodbye(.tooManyConnections, on: end)
    case .open where plan.has(.ignoresOpen), .pageGet where plan.has(.ignoresPages): return
    case .request(let request) where plan.has(.isBusy) && isDuringFault:
      return send(.busy(Busy(id: request.id, retryAfterMilliseconds: plan.retryAfterMilliseconds)), on: end)
    case .request(let request) where plan.has(.givesBack) && isDuringFault:
      return world.after(plan.holdTime) { [self] in giveBack(request.id, on: end) }
    case .request where plan.has(.answersLate):
      return world.after(.seconds(40)) { [self] in
        guard end.isOpen else { return }
        end.driver.receive(message, at: world.time)
        perform(on: end)
      }
    default: break
    }
    end.driver.receive(message, at: world.time)
    perform(on: end)
  }

  /// Ends a request without an answer, in a way that an honest peer may also use.
  private func giveBack(_ request: RequestID, on end: NodeEnd) {
    guard end.isOpen, isUp, !isFrozen else { return }
    switch plan.givesBackBy {
    case .busy:
      send(.busy(Busy(id: request, retryAfterMilliseconds: plan.retryAfterMilliseconds)), on: end)
    case .done: sayGoodbye(.done, on: end)
    case .tooManyConnections: sayGoodbye(.tooManyConnections, on: end)
    case .withdrawn:
      end.driver.session.withdraw(FileHandle(1), .changed)
      perform(on: end)
    }
  }

  override func hangUp(_ end: NodeEnd, _ code: CloseCode) {
    guard end.isOpen else { return }
    sayGoodbye(code, on: end)
  }

  private func sayGoodbye(_ code: CloseCode, on end: NodeEnd) {
    send(.goodbye(Goodbye(code: code, text: "")), on: end)
    forget(end)
  }

  private var isDuringFault: Bool {
    let time = world.time
    return time >= .zero + plan.begins && plan.ends.map { time < .zero + $0 } ?? true
  }

  override func ended(_ end: NodeEnd, _ reason: SessionEnd) {
    if case .remote = reason {} else { world.violate("the getter is an honest peer, but \(name) says \(reason)") }
    forget(end)
  }

  override func lookUp(_ open: Open, on end: NodeEnd) {
    if plan.has(.refusesOpen) {
      return send(.opened(Opened(handle: open.handle, outcome: .refused(refusal))), on: end)
    }
    super.lookUp(open, on: end)
  }

  override var openAnswer: OpenAnswer {
    if plan.has(.lacksFile) || hasWithdrawn { return .noSuchFile }
    return .file(plan.has(.claimsLastChunk) ? file.servedLastChunk : file.served)
  }

  private var refusal: Opened.Refusal { plan.number % 2 == 0 ? .notAllowed : .tooManyFilesOpen }

  override func lost(_ end: NodeEnd, _ reason: LossReason) { forget(end) }

  private func forget(_ end: NodeEnd) {
    guard end.isOpen else { return }
    remove(end)
    comeBack()
  }

  // MARK: Sending

  override var canSend: Bool { isUp && !isFrozen }
  override var sendsNextAt: Instant { max(world.time + plan.diskDelay, freeAt) }

  override func hasRoom(for end: NodeEnd) -> Bool { end.departures.pausedUntil <= world.time }

  override func begins(_ piece: UploadPiece, on end: NodeEnd) -> Bool {
    end.departures.pieceCount += 1
    if plan.has(.goesSilent), end.departures.pieceCount > plan.number + 2 { return false }
    if isTimeToClose(at: .data), end.departures.pieceCount > plan.number % 3 {
      close(end)
      return false
    }
    if plan.has(.dribbles) {
      end.departures.pausedUntil = world.time + plan.dribblePause
      world.at(end.departures.pausedUntil) { [self] in queue(end) }
    }
    return true
  }

  override func send(_ message: Message, _ payload: [UInt8] = [], on end: NodeEnd) {
    let (message, payload) = distort(message, payload)
    world.note("\(name) \(end.peer.id.rawValue) sends \(message)")
    let packet = Packet(message, payload)
    // On the link, leaves have 16 KiB, whatever their size in memory.
    let cost = packet.frame.count + payload.count * (ChunkLayout.wireLeafSize / file.layout.leafSize)
    freeAt = max(freeAt, world.time) + .nanoseconds(Int64(Double(cost) / plan.bytesPerSecond * 1e9))
    var arrival = freeAt + plan.delay
    if plan.jitter > .zero {
      arrival = arrival + .nanoseconds(Int64.random(in: 0...plan.jitter.wholeNanoseconds, using: &world.generator))
    }
    for stall in plan.stalls where stall.contains(arrival) { arrival = stall.upperBound }
    let due = end.departures.due(arrival)
    guard let other = end.other else { return }
    world.at(due) { other.node.receive(packet, on: other) }
  }
}

extension PeerPlan {
  /// Returns the event by which the getter learns of an address: from the user or from a discovery.
  func naming(_ address: PeerAddress, pinned: PeerID?) -> DownloadEvent {
    isHinted ? .addressHinted(address, pinned ?? id) : .addressAdded(address, pinned: pinned)
  }
}
