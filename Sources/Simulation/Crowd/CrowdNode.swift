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
  /// Judges connections that come in.
  var admission: ConnectionAdmission
  var dialledCount = 0
  var connectionsHigh = 0

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
    let inboundMax = isSeed ? crowd.plan.seedConnectionsMax : crowd.plan.inboundConnectionsMax
    admission = ConnectionAdmission(
      places: ConnectionPlaces(established: inboundMax, descriptors: 4 * inboundMax + 1024),
      generator: SeededGenerator(seed: world.generator.next()))
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

  // MARK: Connections

  func end(_ id: ConnectionID) -> CrowdEnd? { byID[id] }

  func takeInboundID() -> ConnectionID {
    defer { nextInbound += 1 }
    return ConnectionID(nextInbound)
  }

  func insert(_ end: CrowdEnd) {
    ends.append(end)
    byID[end.id] = end
  }

  func remove(_ end: CrowdEnd) {
    ends.removeAll { $0 === end }
    byID[end.id] = nil
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
}
