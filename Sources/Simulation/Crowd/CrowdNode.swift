// One node of a crowd: the link it has, the connections it holds, and, unless it is the seed, its download.
import Content
import Transfer
import Wire

/// Performs what DownloadState and the sessions decide, as the node's threads do, without any delay of its own.
final class CrowdNode {
  let number: Int
  unowned let crowd: Crowd
  let world: World
  let file: SimulatedFile
  let id: PeerID
  let address: PeerAddress
  let group: AddressGroup
  /// Nil: the seed, or one that has gone.
  private var download: DownloadState?
  private(set) var isDownloading: Bool
  let isSeed: Bool
  var isUp = true
  private(set) var hasFinished = false
  var isPageKnown: Bool

  // What is here of the file.
  var bytes: [UInt8]
  var held: HeldLeaves
  /// An announcement of new leaves is due at some time.
  var isToAnnounce = false

  // Connections, in the order in which they came.
  private(set) var ends: [CrowdEnd] = []
  private var byID: [ConnectionID: CrowdEnd] = [:]
  private var nextInbound = ConnectionID.firstInbound.rawValue
  private var admittedCount = 0
  private var inboundCount = 0
  private(set) var connectionsHigh = 0

  // The link: when it has carried all that it was given.
  var uploadFreeAt = Instant.zero
  var downloadFreeAt = Instant.zero
  var isPumping = false
  var bytesUploaded = 0

  private var timer: Instant?
  private var events: [DownloadEvent] = []
  private var isHandling = false
  /// Requests in flight by chunk, as counted here.
  private var askers: [UInt8]
  var swarm: ContentSwarm
  // Which peer is sent to next.
  var turns = UploadTurns()
  var shares = UploadShares()

  var connectionsMax: Int { isSeed ? crowd.plan.seedConnectionsMax : crowd.plan.connectionsMax }

  init(_ number: Int, of crowd: Crowd, isSeed: Bool) {
    self.number = number
    self.isSeed = isSeed
    isDownloading = !isSeed
    self.crowd = crowd
    world = crowd.world
    file = crowd.file
    let layout = file.layout
    var name = SeededGenerator(seed: UInt64(number) &+ 1)
    var words: [UInt8] = []
    for _ in 0..<4 {
      let word = name.next()
      for i in 0..<8 { words.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * i))) }
    }
    id = PeerID(digest: Digest(words)!)
    address = CrowdNode.address(number)
    group = AddressGroup(ip: address.ip)
    bytes = isSeed ? file.bytes : Array(repeating: 0, count: file.bytes.count)
    held = HeldLeaves(layout, isComplete: isSeed)
    swarm = ContentSwarm(
      chunkCount: layout.chunkCount, generator: SeededGenerator(seed: world.generator.next()))
    askers = Array(repeating: 0, count: layout.chunkCount)
    isPageKnown = isSeed
    if isSeed { return }
    download = DownloadState(
      settings: crowd.plan.settings, generator: SeededGenerator(seed: world.generator.next()), at: world.time)
  }

  static func address(_ number: Int) -> PeerAddress {
    let host = [UInt8(10), UInt8(number >> 16 & 255), UInt8(number >> 8 & 255), UInt8(number & 255)]
    return PeerAddress(ip: Array(repeating: 0, count: 10) + [255, 255] + host, port: 9800)
  }

  /// The number of the node that has an address.
  static func number(at address: PeerAddress) -> Int {
    address.ip.suffix(3).reduce(0) { $0 << 8 | Int($1) }
  }

  func start(knowing seed: CrowdNode) {
    tell(.addressAdded(seed.address, pinned: seed.id))
    tell(.discoveryFinished)
    introduceAll()
  }

  /// Without a word: the kernel tells the peers.
  func leave() {
    isUp = false
    isDownloading = false
    download = nil
    for end in ends { drop(end, telling: .reset) }
  }

  // MARK: The brain

  /// Asks or tells the download, where there is one, in place: to read a property of a struct in a class copies the
  /// struct, and this one is large.
  func withDownload<Result>(_ body: (inout DownloadState) -> Result) -> Result? {
    guard isUp, isDownloading else { return nil }
    return body(&download!)
  }

  func tell(_ event: DownloadEvent) {
    guard isUp, isDownloading else { return }
    events.append(event)
    guard !isHandling else { return }
    isHandling = true
    var next = 0
    while next < events.count {
      let event = events[next]
      next += 1
      if withDownload({ $0.isEnded }) != false { break }
      world.note("\(number) < \(event)")
      _ = withDownload { $0.handle(event, at: world.time) }
      while let action = withDownload({ $0.nextAction() }) ?? nil {
        world.note("\(number) > \(action)")
        perform(action)
      }
    }
    events.removeAll(keepingCapacity: true)
    isHandling = false
    setTimer()
  }

  private var deadline: Instant? { withDownload { $0.deadline } ?? nil }

  private func setTimer() {
    guard let deadline = deadline, timer == nil || deadline < timer! else { return }
    timer = deadline
    world.at(deadline) { [self] in
      guard timer == deadline else { return }
      timer = nil
      // The deadline may have moved on since.
      if let due = self.deadline, due <= world.time { tell(.timerFired) } else { setTimer() }
    }
  }

  private func perform(_ action: DownloadAction) {
    switch action {
    case .dial(let address, _, let id): dial(address, id)
    case .open(let id): command(id) { $0.open() }
    case .prepareStorage: tell(.storageReady(Resumable()))
    case .fetchPage(let page, let id): command(id) { $0.fetchPage(page.rawValue) }
    case .request(let id, let request, let chunk, let leaves): self.request(id, request, chunk, leaves)
    case .cancel(let id, let request):
      if let end = byID[id] { answered(request, on: end) }
      command(id) { $0.cancel(request) }
    case .disconnect(let id, let reason):
      guard let end = byID[id] else { return }
      if reason == .banned { world.violate("\(number) bans an honest peer") }
      hangUp(end, reason == .duplicate ? .duplicateConnection : .done)
    case .report: break
    case .finished(let stats):
      hasFinished = true
      if bytes != file.bytes { world.violate("a finished file has wrong bytes") }
      crowd.finished(self, stats)
    case .failed(let failure, _): world.violate("the download of \(number) fails: \(failure)")
    }
  }

  private func command(_ id: ConnectionID, _ change: (inout PeerSession) -> Void) {
    guard let end = byID[id] else { return }
    change(&end.driver.session)
    perform(on: end)
  }

  private func request(_ id: ConnectionID, _ request: RequestID, _ chunk: ChunkIndex, _ leaves: LeafRange) {
    guard let end = byID[id] else { return }
    end.asked[request] = chunk
    askers[Int(chunk.rawValue)] += 1
    if askers[Int(chunk.rawValue)] > 2 { world.violate("\(number) asks more than two for chunk \(chunk.rawValue)") }
    if end.asked.count > ProtocolLimits.requestsInFlightMax { world.violate("\(number) asks too much of one peer") }
    let hash = file.tree.chunkHashes[Int(chunk.rawValue)]
    let known = held.leafHashes(of: chunk)
    end.driver.session.request(
      FetchRequest(id: request, chunk: chunk, leaves: leaves, chunkHash: hash, leafHashes: known))
    perform(on: end)
  }

  func answered(_ request: RequestID, on end: CrowdEnd) {
    guard let chunk = end.asked.removeValue(forKey: request) else { return }
    askers[Int(chunk.rawValue)] -= 1
  }

  // MARK: Connections

  private func dial(_ address: PeerAddress, _ id: ConnectionID) {
    // TCP, and a round trip of the handshake.
    world.after(crowd.plan.delay * 4) { [self] in
      guard isUp, isDownloading else { return }
      let node = crowd.nodes[CrowdNode.number(at: address)]
      if node === self { return tell(.dialFailed(id, .ourselves)) }
      guard node.isUp else { return tell(.dialFailed(id, .refused)) }
      let inbound = ConnectionID(node.nextInbound)
      node.nextInbound += 1
      let end = CrowdEnd.connect(self, id, node, inbound)
      end.isFetching = true
      // Of two connections of one pair the older stays; both ends come to that verdict here.
      let isSecond = ends.contains { $0.isOpen && $0.peer === node }
      enter(end)
      node.enter(end.other!)
      tell(.connected(id, node.id))
      node.admitOrTurnAway(end.other!)
      if isSecond { node.hangUp(end.other!, .duplicateConnection) }
    }
  }

  func end(_ id: ConnectionID) -> CrowdEnd? { byID[id] }

  private func enter(_ end: CrowdEnd) {
    ends.append(end)
    byID[end.id] = end
    // Those that it dialled have their place from then on.
    guard end.id < ConnectionID.firstInbound else { return }
    admittedCount += 1
    connectionsHigh = max(connectionsHigh, admittedCount)
    if admittedCount - inboundCount > connectionsMax { world.violate("\(number) dials too many") }
  }

  private func admitOrTurnAway(_ end: CrowdEnd) {
    // The download knows of those that dialled only once they open the file, and may dial meanwhile.
    let room = connectionsMax - (isSeed ? 0 : min(DownloadState.hintedLinksMax, connectionsMax / 2))
    end.isTurnedAway = inboundCount >= room
    if end.isTurnedAway { return }
    inboundCount += 1
    admittedCount += 1
    connectionsHigh = max(connectionsHigh, admittedCount)
  }

  /// Says goodbye and forgets the connection.
  func hangUp(_ end: CrowdEnd, _ code: CloseCode) {
    guard end.isOpen else { return }
    send(.goodbye(Goodbye(code: code, text: "")), on: end)
    drop(end, telling: nil)
    if end.isFetching { tell(.connectionLost(end.id, .closed)) }
  }

  /// Forgets the connection; with a reason the other end notices.
  private func drop(_ end: CrowdEnd, telling reason: LossReason?) {
    guard end.isOpen else { return }
    for request in Array(end.asked.keys) { answered(request, on: end) }
    if let reason, let other = end.other {
      world.after(crowd.plan.delay) { other.node.lost(other, reason) }
    }
    end.forget()
    if !end.isTurnedAway {
      admittedCount -= 1
      if end.id >= ConnectionID.firstInbound { inboundCount -= 1 }
    }
    ends.removeAll { $0 === end }
    turns.leave(end.id.rawValue, of: end.peer.group)
    swarm.leave(end.id.rawValue, at: world.time)
    byID[end.id] = nil
  }

  func lost(_ end: CrowdEnd, _ reason: LossReason) {
    guard end.isOpen else { return }
    drop(end, telling: nil)
    if end.isFetching { tell(.connectionLost(end.id, reason)) }
  }
}
