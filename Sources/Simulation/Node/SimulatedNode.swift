// A node in virtual time. Like the real node, it performs what the sessions and the other values of the brain decide.
import Content
import Transfer
import Wire

/// One file at one node, and the node's connections. Subclasses define its link, its disk and its faults.
class SimulatedNode {
  let name: String
  let world: World
  let file: SimulatedFile
  final var isUp = true

  /// The leaves that the node has.
  final var held: LocalAvailability
  /// Connections on which the file is open, in either direction.
  final var swarm: ContentSwarm
  /// Admits or refuses inbound connections.
  final var admission: ConnectionAdmission
  /// Connections that this node's download uses or gave up.
  private var duplicates: DuplicateConnections
  private var turns = UploadTurns()
  private var shares = UploadShares()
  private var isPumping = false
  /// Whether an announcement of new leaves is scheduled.
  private var isToAnnounce = false

  /// The open ends in the order in which they began.
  private(set) final var ends: [NodeEnd] = []
  private var byID: [ConnectionID: NodeEnd] = [:]
  private var nextInbound = ConnectionID.firstInbound.rawValue

  /// - `inboundMax`: the most connections from other nodes that it admits.
  init(
    _ name: String, _ id: PeerID, world: World, file: SimulatedFile, isComplete: Bool, inboundMax: Int,
    generator: inout SeededGenerator
  ) {
    duplicates = DuplicateConnections(own: id)
    self.name = name
    self.world = world
    self.file = file
    held = LocalAvailability(file.layout, isComplete: isComplete)
    admission = ConnectionAdmission(
      places: ConnectionPlaces(established: inboundMax, descriptors: 4 * inboundMax + 1024),
      generator: SeededGenerator(seed: generator.next()))
    swarm = ContentSwarm(chunkCount: file.layout.chunkCount, generator: SeededGenerator(seed: generator.next()))
  }

  // MARK: The subclass's link, disk and faults

  /// Puts a message on the link.
  func send(_ message: Message, _ payload: [UInt8] = [], on end: NodeEnd) {}
  /// Whether the link takes another piece for this peer now.
  func hasRoom(for end: NodeEnd) -> Bool { true }
  /// When the link and the disk are ready for the next piece.
  var sendsNextAt: Instant { world.time }
  var canSend: Bool { isUp }
  /// Whether the node knows that its upload is fully used.
  var isUploadFull: Bool { false }
  /// Returns the bytes of leaves that the node has.
  func bytes(of leaves: LeafRange, in chunk: ChunkIndex) -> [UInt8] { file.bytes(of: leaves, in: chunk) }
  /// Is called before the node sends a piece. False: it does not send it.
  func begins(_ piece: UploadPiece, on end: NodeEnd) -> Bool { true }
  /// The answer to an OPEN that means the file.
  var openAnswer: OpenAnswer { .file(file.served) }
  /// A peer has opened the file, and has received what this node announces.
  func opened(_ end: NodeEnd) {}
  /// A session reports news from its peer.
  func hear(_ news: PeerNews, on end: NodeEnd) {}
  /// Leaves have arrived.
  func verify(_ piece: FetchedPiece, on end: NodeEnd) {}
  /// A session wants to end its connection.
  func ended(_ end: NodeEnd, _ reason: SessionEnd) {}
  /// The other end has closed or lost the connection.
  func lost(_ end: NodeEnd, _ reason: LossReason) {}
  func receive(_ packet: Packet, on end: NodeEnd) {}

  // MARK: Connections

  func end(_ id: ConnectionID) -> NodeEnd? { byID[id] }
  func end(_ token: ConnectionToken) -> NodeEnd? { byID[ConnectionID(token.rawValue)] }

  func takeInboundID() -> ConnectionID {
    defer { nextInbound += 1 }
    return ConnectionID(nextInbound)
  }

  func insert(_ end: NodeEnd) {
    ends.append(end)
    byID[end.id] = end
  }

  /// Forgets a connection.
  func remove(_ end: NodeEnd) {
    end.close()
    ends.removeAll { $0 === end }
    byID[end.id] = nil
    turns.leave(end.token, of: end.group)
    swarm.leave(end.token, at: world.time)
    if end.isInbound { carryOut(admission.end(end.token)) }
  }

  /// Ends a connection, and reports its loss to the download.
  func hangUp(_ end: NodeEnd, _ code: CloseCode) {}

  // MARK: Connections of the download

  /// Returns the event for a connection that the download may use from now on.
  func connected(_ end: NodeEnd, requestsMax: Int = ProtocolLimits.requestsInFlightMax) -> DownloadEvent {
    end.requestsMax = requestsMax
    duplicates.began(end.id, with: end.peer.peerID)
    return event(connected: end)
  }

  func event(connected end: NodeEnd) -> DownloadEvent {
    .connected(
      end.id, end.peer.peerID, requestsMax: end.requestsMax, from: end.isInbound ? end.peer.ip : nil)
  }

  /// The download gives a connection up. Returns the connection that replaces it, if there is one.
  func disconnect(_ end: NodeEnd, _ reason: DisconnectReason) -> NodeEnd? {
    switch duplicates.giveUp(end.id, reason) {
    case .close:
      hangUp(end, reason.closeCode)
      return nil
    case .keep: return nil
    case .use(let spare): return self.end(spare)
    }
  }

  /// Returns the spare connection that replaces a lost one.
  func replacement(of end: NodeEnd) -> NodeEnd? { duplicates.ended(end.id).flatMap { self.end($0) } }

  /// Forgets all connections without a GOODBYE.
  func forgetConnections() {
    for end in ends { remove(end) }
  }

  // MARK: Sessions

  /// Performs what a session decides, then sends what there is room for.
  func perform(on end: NodeEnd) {
    while end.isOpen, let action = end.driver.nextAction() {
      switch action {
      case .send(let message):
        send(message, on: end)
        end.driver.queued(message, outboxByteCount: 0)
      case .tell(let news, let handle):
        if handle != end.fetched { world.violate("\(name) hears of a file that it has not opened") }
        hear(news, on: end)
      case .lookUp(let open): lookUp(open, on: end)
      case .admit(let request): admit(request, on: end)
      case .promise(_, let chunk): promise(chunk, to: end)
      case .settle(_, let chunk): settle(chunk, of: end)
      case .closed: closed(end)
      case .expectPayload(let isWanted): if !isWanted { end.arrivals.payload = nil }
      case .verify(let piece):
        if piece.handle != end.fetched { world.violate("\(name) gets a piece of a file that it has not opened") }
        verify(piece, on: end)
      case .close(let reason): ended(end, reason)
      }
    }
    while end.isOpen, let hint = end.driver.nextHint(outboxByteCount: 0) { send(hint, on: end) }
    queue(end)
  }

  /// Answers an OPEN.
  func lookUp(_ open: Open, on end: NodeEnd) {
    let isMeant = end.driver.session.isMeant(file.served.key, by: open)
    guard end.driver.answer(open, isMeant ? openAnswer : .noSuchFile, at: world.time) else { return }
    end.served = open.handle
    noteUse(of: end)
    let peer = ContentSwarm.Peer(
      id: end.peer.peerID, ip: end.peer.ip, port: end.peer.port, isTurnedAway: end.isTurnedAway)
    end.driver.session.announce(promised: swarm.join(end.token, peer, at: world.time), of: open.handle)
    introduce([end.token])
    perform(on: end)
    opened(end)
  }

  /// The peer has closed the file.
  private func closed(_ end: NodeEnd) {
    end.served = nil
    swarm.leave(end.token, at: world.time)
    noteUse(of: end)
  }

  // MARK: Sending in turns

  /// Queues the connection for a turn if it has something to send and room for it.
  func queue(_ end: NodeEnd) {
    guard end.isOpen, !end.isQueued, hasRoom(for: end) else { return }
    let isFirst = noteWaiting(end)
    guard end.driver.session.hasUploads else { return }
    end.isQueued = true
    turns.enqueue(end.token, of: end.group, isFirst: isFirst)
    pump()
  }

  /// Reports to the swarm whether a piece waits for the peer. Returns whether it goes before chunks that were promised
  /// to others. A page does so once.
  private func noteWaiting(_ end: NodeEnd) -> Bool {
    guard let next = end.driver.session.nextPieceChunk else {
      swarm.rests(end.token)
      return !end.driver.session.isNextPageRepeated
    }
    return swarm.waits(for: next.chunk, end.token, isFull: knowsUpload, at: world.time)
  }

  /// Whether the node knows when its upload is full.
  var knowsUpload: Bool { false }

  /// Sends a piece to each peer in turn, whenever link and disk are ready. A request cancelled earlier costs nothing.
  func pump() {
    guard !isPumping, !turns.isEmpty, canSend else { return }
    isPumping = true
    world.at(sendsNextAt) { [self] in
      isPumping = false
      guard canSend, let next = turns.next(sent: shares.bytes(sentTo:)), let end = end(next) else {
        return
      }
      end.isQueued = false
      sendNext(on: end)
      queue(end)
      pump()
    }
  }

  private func sendNext(on end: NodeEnd) {
    switch end.driver.nextUpload() {
    case .page(let handle, let index)?:
      guard let page = file.page(index) else { return world.violate("\(name) sends a page that the file has not") }
      send(.page(PageAnswer(page, of: handle)), on: end)
    case .piece(let piece)?:
      if !held.offers(piece.leaves, of: piece.chunk) { return world.violate("\(name) sends what it has not") }
      guard begins(piece, on: end) else { return }
      let part = bytes(of: piece.leaves, in: piece.chunk)
      let hashes = piece.includesLeafHashes ? file.leafHashes[Int(piece.chunk.rawValue)] : []
      send(.data(piece.header(leafHashes: hashes, byteCount: part.count)), part, on: end)
      swarm.sent(piece.leaves.count, of: piece.chunk, to: end.token)
      shares.sent(part.count, to: end.group, at: world.time)
      if end.driver.sent(piece, byteCount: part.count, at: world.time) { settle(piece.chunk, of: end) }
    case nil: break
    }
  }
}

// MARK: Serving

extension SimulatedNode {
  private func admit(_ request: ChunkRequest, on end: NodeEnd) {
    guard held.offers(request.leaves, of: request.chunk) else { return end.driver.admit(request, .notHere) }
    let isTaken = swarm.accepts(request.chunk, from: end.token, isFull: isUploadFull, at: world.time)
    end.driver.admit(request, isTaken ? .yes : .notNow)
  }

  private func promise(_ chunk: ChunkIndex, to end: NodeEnd) {
    guard swarm.promise(chunk, to: end.token) else { return }
    for other in ends where other !== end {
      guard let handle = other.served else { continue }
      other.driver.session.announce(promised: [chunk], of: handle)
      perform(on: other)
    }
  }

  /// A peer has no unanswered requests for a chunk any more.
  private func settle(_ chunk: ChunkIndex, of end: NodeEnd) {
    swarm.settle(chunk, of: end.token, leafCount: file.layout.leafCount(of: chunk))
  }

  /// Schedules the announcement of new leaves.
  func announceLater() {
    guard !isToAnnounce, let deadline = held.newsDeadline else { return }
    isToAnnounce = true
    world.at(max(deadline, world.time)) { [self] in
      isToAnnounce = false
      if isUp { announce() }
    }
  }

  private func announce() {
    let runs = held.takeNews(at: world.time)
    for end in ends {
      guard let handle = end.served else { continue }
      end.driver.session.announce(runs, of: handle)
      perform(on: end)
    }
  }

  /// Sends some peers, or all, the addresses of others.
  func introduce(_ members: Set<ConnectionToken>? = nil) {
    for (member, entries) in swarm.introductions(to: members, at: world.time) {
      guard let end = end(member), let handle = end.served else { continue }
      end.driver.session.announce(peers: entries, of: handle)
      perform(on: end)
    }
  }
}
