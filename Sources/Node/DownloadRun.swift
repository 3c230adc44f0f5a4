// One download while it runs: performs what the brain decides, and tells it what came of it. One thread.
import Content
import Posix
import Sodium
import Storage
import Transfer
import Wire

/// The control thread's side of a download. Confined to the thread that calls `run`.
final class DownloadRun {
  /// Blocks in use at most: 16 MiB.
  private static let blocksMax = 256
  /// Chunks that a stream may hold back to bring them in order: 16 MiB.
  static let streamWindowChunks = NodeLimits.reorderBytesMax / ChunkLayout.wireChunkSize
  private static let progressInterval = Duration.milliseconds(200)

  private struct Connection {
    let address: SocketAddress
    let pinned: PeerID?
    let loop: Int
    var suite: CipherSuite
    var peer: PeerID?
    /// The peer dialled us. It is the peer's to end.
    var isInbound = false
    /// A second connection to one peer, to be used when the first is lost.
    var isSpare = false
    var requestsMax = 0
    /// Why it is of no more use has been said; how it then ends need not be.
    var isDismissed = false
  }

  let fileID: FileID
  /// Said of the file before any peer was asked.
  private let expectedLength: UInt64?
  /// Those of the start that are addresses and no names.
  private let addresses: [(SocketAddress, pinned: PeerID?)]
  let names: PeerLookups
  let target: DownloadTarget
  let context: NodeContext
  let control: Mailbox<DownloadMessage>
  let onUpdate: (DownloadUpdate) -> Void

  var state: DownloadState
  var clock = LoopClock()
  var now: Instant
  var epoll: Epoll
  let link: DownloadLink
  let jobs = BlockingQueue<VerifyJob>()
  var verifiers: VerifyPool?
  var preparation: (storage: StoragePreparation, thread: Thread)?
  /// While it is looked whether the file is here already.
  var look: (look: EarlyLook, thread: Thread)?
  var resumer: DownloadResumer?
  var journal: DownloadJournal?
  var loops: [Thread] = []
  var asker: DiscoveryAsker?
  var answerer: DiscoveryAnswerer?
  private let peersWanted: Int
  /// What the asker knows of.
  private var toldPeerCount = 0
  /// Somebody was named at the start.
  private let knowsPeers: Bool

  /// Whether more addresses are waited for: of names, and of the search for peers that nobody named.
  var isDiscovering = true
  var isSearching = false
  private var connections: [ConnectionID: Connection] = [:]
  private var nextLoop = 0
  var manifest: Manifest?
  var name = ""
  var part: PartFile?
  var resume = JournalResume()
  /// Where the file was there already.
  var found: FoundFile?
  /// It was found before any peer was asked.
  var foundEarly: (name: String, FoundFile)?
  /// What of the file others may have; nobody may where `sharing` is nil.
  let shared: SharedDownload
  let sharing: Sharing?
  /// Where others may dial.
  private let address: SocketAddress?
  private var listener: Socket?
  var stream: StreamWriter?
  var chunkHashes: [PageIndex: [Digest]] = [:]
  var hasWritten = false
  var streamedChunks = 0
  var storageError: PartFileError?
  var outcome: Result<DownloadStats, DownloadError>?

  init(
    _ fileID: FileID, length: UInt64?, peers: [PeerSource], target: DownloadTarget, configuration: NodeConfiguration,
    settings: DownloadSettings, sharing: Sharing?, resolve: @escaping Resolver, control: Mailbox<DownloadMessage>,
    onUpdate: @escaping (DownloadUpdate) -> Void
  ) throws(DownloadError) {
    self.fileID = fileID
    expectedLength = length
    self.target = target
    self.control = control
    self.onUpdate = onUpdate
    let sharing = target.isStream ? nil : sharing  // of a stream nothing is kept
    self.sharing = sharing
    now = clock.now()
    peersWanted = settings.maxWorkers
    var settings = settings
    if target.isStream { settings.order = .inOrder(windowChunks: DownloadRun.streamWindowChunks) }
    settings.shares = sharing != nil
    state = DownloadState(settings: settings, generator: SeededGenerator(seed: Random.uint64()), at: now)
    addresses = peers.compactMap { peer in peer.host.address.map { ($0, pinned: peer.pinned) } }
    names = PeerLookups(
      peers.filter { $0.host.address == nil }, peersWanted: settings.maxWorkers, resolve: resolve, control: control,
      at: now)
    let socket = try DownloadRun.listener(sharing?.listen)
    do throws(Errno) {
      address = try socket?.localAddress()
      context = try NodeContext(configuration, catalogue: nil, listenPort: address?.port, report: { _ in })
      epoll = try Epoll()
      try epoll.add(control.number, token: 0, .readable)
    } catch {
      throw .system(error)
    }
    listener = socket
    let context = self.context
    let key = FileKey(fileID, swarm: configuration.swarmKey)
    link = DownloadLink(
      fileID: fileID, key: key,
      blocks: BlockPool(limit: DownloadRun.blocksMax) { context.tellAllLoops(.blocksAvailable) }, control: control,
      jobs: jobs)
    shared = SharedDownload(key: key, link: link)
    if sharing != nil { context.shared = shared }
    knowsPeers = !peers.isEmpty
    isSearching = configuration.discovery != nil
  }

  private func search(_ discovery: DiscoverySettings) throws(Errno) {
    // Without anybody to ask on the network, whoever was named is all there is.
    let time =
      !knowsPeers
      ? DiscoverySettings.searchTime : discovery.multicast ? DiscoverySettings.searchTimeWithPeers : .zero
    let own = context.configuration.identity.peerID
    let key = shared.key
    if let address {
      // Who asks the network for this file finds this download too, once there is something to be had. It begins first:
      // both look which nodes of this machine are dead, by locks that each could take for a living node's.
      answerer = try DiscoveryAnswerer(discovery, peer: own, listener: address, complain: { _ in }) { [shared] bucket in
        key.bucket == bucket && shared.isOffered ? [key] : []
      }
    }
    asker = try DiscoveryAsker(
      discovery, key: key, own: own, asksAfter: knowsPeers ? DiscoverySettings.namedPeersTime : .zero,
      firstPhase: time, control: control)
  }

  private static func listener(_ address: SocketAddress?) throws(DownloadError) -> Socket? {
    guard let address else { return nil }
    do throws(Errno) { return try Socket.listening(on: address) } catch { throw .listen(address, error) }
  }

  func run() throws(DownloadError) -> DownloadResult {
    if let address { onUpdate(.listening(address)) }
    do throws(Errno) {
      for i in context.mailboxes.indices {
        let loop = try NetworkLoop(context: context, index: i)
        if let socket = listener.take() { try loop.listen(on: socket) }
        loops.append(NetworkLoop.start(loop))
      }
      // Whoever was named is dialled first, and while they answer the search begins.
      for (address, pinned) in addresses { add(address, pinned: pinned) }
      perform()
      if let discovery = context.configuration.discovery { try search(discovery) }
    } catch {
      stop()
      throw .system(error)
    }
    if let early = EarlyLook(fileID, target, length: expectedLength) { look = (early, early.start(control: control)) }
    discover()
    perform()
    var nextProgress = now
    while outcome == nil {
      let due = [state.deadline, journal?.deadline, names.deadline, shared.newsDeadline, nextProgress]
        .compactMap { $0 }.min()!
      let nanoseconds = max(0, (due - now).wholeNanoseconds)
      wait(milliseconds: Int32(clamping: (nanoseconds + 999_999) / 1_000_000))
      for message in control.takeAll() where outcome == nil { receive(message) }
      if let deadline = state.deadline, now >= deadline, outcome == nil { tell(.timerFired) }
      if let deadline = journal?.deadline, now >= deadline { journal?.handle(.timerFired, at: now) }
      discover()
      perform()
      if state.livePeerCount > toldPeerCount { tellAsker() }
      if let deadline = shared.newsDeadline, now >= deadline { announce() }
      if now >= nextProgress {
        nextProgress = now + DownloadRun.progressInterval
        tellAsker()
        if part != nil { onUpdate(.progress(state.progress(at: now))) }
      }
      now = clock.now()
    }
    return try finish()
  }

  /// Who has peers enough need not look for more, which is told at once. That some are lost is told a few times a second
  /// at most: a peer that comes and goes shall not make this end ask the network each time.
  private func tellAsker() {
    guard let asker, state.livePeerCount != toldPeerCount else { return }
    toldPeerCount = state.livePeerCount
    asker.peers(live: toldPeerCount, wanted: peersWanted)
  }

  /// Until a message comes.
  func wait(milliseconds: Int32) {
    do { try epoll.wait(milliseconds: milliseconds) { _, _ in } } catch { preconditionFailure("epoll: \(error)") }
    now = clock.now(afterWaiting: milliseconds)
  }

  func tell(_ event: DownloadEvent) { state.handle(event, at: now) }

  /// Others learn what was verified.
  func announce() {
    let runs = shared.takeNews(at: now)
    if context.shared != nil, !runs.isEmpty { context.tellAllLoops(.announce(runs)) }
  }

  // MARK: What happened

  private func receive(_ message: DownloadMessage) {
    switch message {
    case .connected(let id, let peer, let requestsMax):
      connections[id]?.peer = peer
      tell(.connected(id, peer, requestsMax: requestsMax))
    case .joined(let id, let loop, let address, let peer, let requestsMax):
      connections[id] = Connection(
        address: address, pinned: nil, loop: loop, suite: context.configuration.suites[0], peer: peer, isInbound: true,
        requestsMax: requestsMax)
      tell(.connected(id, peer, requestsMax: requestsMax, from: address.ip))
    case .dialFailed(let id, let end): dialFailed(id, end)
    case .connectionLost(let id, let end): lost(id, end)
    case .opened(let id, let manifest, let isComplete):
      if let expectedLength, manifest.length != expectedLength {
        return outcome = .failure(.otherLength(expected: expectedLength, actual: manifest.length))
      }
      if self.manifest == nil { self.manifest = manifest }
      tell(.opened(id, manifest.layout, isComplete: isComplete))
    case .refused(let id, let refusal):
      dismiss(id, .refused(refusal))
      switch refusal {
      case .noSuchFile: tell(.notFound(id))
      case .tooManyFilesOpen: tell(.refused(id, .tooManyFiles))
      case .notAllowed: tell(.refused(id, .notAllowed))
      }
    case .page(let id, let page): received(page, from: id)
    case .busy(let id, let request, let after): tell(.busy(id, request, retryAfter: after))
    case .withdrawn(let id, let reason):
      dismiss(id, .withdrawn(reason))
      tell(.withdrawn(id))
    case .answerBegan(let id, let request): tell(.answerBegan(id, request))
    case .answerEnded(let id, let request): tell(.answerEnded(id, request))
    case .shared(let id, .have(let runs)): tell(.have(id, runs))
    case .shared(let id, .bitmap(let bitmap)): tell(.bitmap(id, bitmap))
    case .shared(let id, .promised(let chunks)): tell(.promised(id, chunks))
    case .shared(let id, .peers(let entries)): tell(.peers(id, entries))
    case .shared: break
    case .verified(let id, let request, let chunk, let leaves, let leafHashes, let writing):
      hasWritten = true
      journal?.handle(.verified(chunk, mask: leaves.mask, leafHashes: leafHashes), at: now)
      shared.add(leaves.mask, of: chunk, leafHashes: leafHashes)
      tell(.leavesVerified(id, request, chunk, leaves, writing: writing))
    case .streamed(let below): streamed(below: below)
    case .streamEnded: break  // after a failure, which was told before
    case .corrupt(let id, let chunk):
      dismiss(id, .lied("chunk \(chunk.rawValue) does not hash"))
      tell(.lied(id))
    case .writeFailed(let error):
      if storageError == nil { storageError = error }
      tell(.writeFailed)
    case .unreadable(let error):
      if case .unreadable(let errno) = error, storageError == nil { storageError = .io(errno) }
      tell(.writeFailed)
    case .looked(let found): looked(found)
    case .prepared(let result): prepared(result)
    case .resumed(let id, let page, let leaves, let events):
      for event in events { journal?.handle(event, at: now) }
      resumed(page, leaves, from: id)
    case .journal(let event): journal?.handle(event, at: now)
    case .resolved(let name, let result): resolved(name, result)
    case .hinted(let address, let peer): tell(.addressHinted(address, peer))
    case .discoverySettled(let summary):
      isSearching = false
      onUpdate(.searched(summary))
    case .cancelled: tell(.cancelledByUser)
    }
  }

  /// Says why a peer is of no more use, once: a lie can come in many pieces.
  private func dismiss(_ id: ConnectionID, _ end: ConnectionEnd) {
    guard let connection = connections[id], !connection.isDismissed else { return }
    connections[id]!.isDismissed = true
    // Whoever dialled us was to give nothing.
    if connection.isInbound, case .refused = end { return }
    onUpdate(.peerEnded(connection.address, connection.peer, end))
  }

  private func received(_ page: HashPage, from id: ConnectionID) {
    journal?.handle(.page(page), at: now)
    if let resumer, chunkHashes[page.index] == nil {
      tell(.pageArrived(page.index, from: id))
      resumer.compare(page, from: id)  // what is in the file already is looked at before anything is asked for
    } else {
      learned(page)
      tell(.pageVerified(page.index, from: id))
    }
  }

  func learned(_ page: HashPage) {
    chunkHashes[page.index] = page.chunkHashes
    shared.add(page)
  }

  private func dialFailed(_ id: ConnectionID, _ end: ConnectionEnd) {
    guard let connection = connections[id] else { return }
    if let suite = end.suiteToTry(insteadOf: connection.suite, isPrivate: context.swarmKey != nil) {
      connections[id]!.suite = suite  // once, since it can be changed to one only
      return dial(connections[id]!, id)
    }
    connections[id] = nil
    onUpdate(.peerEnded(connection.address, nil, end))
    tell(.dialFailed(id, end.dialFailure))
  }

  private func lost(_ id: ConnectionID, _ end: ConnectionEnd) {
    guard let connection = connections.removeValue(forKey: id) else { return }
    switch end {
    case .here(.done, _), .here(.duplicateConnection, _), .here(.badData, _): break  // the brain's wish, told before
    case .there(.duplicateConnection, _): break
    case .there where connection.isInbound: break
    default: if !connection.isDismissed { onUpdate(.peerEnded(connection.address, connection.peer, end)) }
    }
    switch end {
    case .lied: tell(.lied(id))
    case .there(.duplicateConnection, _): tell(.replaced(id))
    default: tell(.connectionLost(id, end.lossReason))
    }
    if let peer = connection.peer { useSpare(of: peer) }
  }

  /// Another connection to a peer of which one was lost takes its place.
  private func useSpare(of peer: PeerID) {
    guard let (id, spare) = connections.first(where: { $0.value.peer == peer && $0.value.isSpare }) else { return }
    connections[id]!.isSpare = false
    tell(.connected(id, peer, requestsMax: spare.requestsMax, from: spare.isInbound ? spare.address.ip : nil))
  }

  // MARK: What is to be done

  private func perform() {
    while outcome == nil, let action = state.nextAction() { perform(action) }
  }

  private func perform(_ action: DownloadAction) {
    switch action {
    case .dial(let address, let pinned, let id): dial(address, pinned, id)
    case .open(let id): send(.open(id), to: id)
    case .prepareStorage: prepareStorage()
    case .fetchPage(let page, let id): send(.fetchPage(id, page: page.rawValue), to: id)
    case .request(let id, let request, let chunk, let leaves):
      let known = shared.knownLeafHashes(of: chunk)
      let page = PageLayout(manifest!.layout).page(of: chunk)
      let hash = chunkHashes[page]![Int(chunk.rawValue) % PageLayout.wireChunksPerPage]
      send(
        .request(id, FetchRequest(id: request, chunk: chunk, leaves: leaves, chunkHash: hash, leafHashes: known)),
        to: id)
    case .cancel(let id, let request): send(.cancel(id, request), to: id)
    case .disconnect(let id, let reason):
      if connections[id]?.isInbound == true, reason != .banned { return keep(id, reason) }
      switch reason {
      case .banned: send(.disconnect(id, .badData, "your data does not verify"), to: id)
      case .duplicate: send(.disconnect(id, .duplicateConnection, ""), to: id)
      case .done: send(.disconnect(id, .done, ""), to: id)
      }
    case .report(let report): onUpdate(.report(report))
    case .finished(let stats): outcome = .success(stats)
    case .failed(let failure, let stats):
      let isKept = hasWritten || part?.isResumed == true
      outcome = .failure(storageError.map { .storage($0) } ?? .failed(failure, stats, part: isKept ? part?.path : nil))
    }
  }

  /// A connection that came in is of no use to the download, but may be to the other end. Of two connections that were
  /// dialled from both ends, the one dialled by the smaller PeerID stays: both ends see it so.
  private func keep(_ id: ConnectionID, _ reason: DisconnectReason) {
    guard reason == .duplicate, let peer = connections[id]?.peer else { return }
    let isDialledToo = connections.contains { !$0.value.isInbound && $0.value.peer == peer }
    if isDialledToo, context.configuration.identity.peerID < peer {
      send(.disconnect(id, .duplicateConnection, ""), to: id)
    } else {
      connections[id]!.isSpare = true
      // The other may have been lost meanwhile.
      if !connections.values.contains(where: { $0.peer == peer && !$0.isSpare }) { useSpare(of: peer) }
    }
  }

  private func send(_ command: LoopCommand, to id: ConnectionID) {
    if let connection = connections[id] { context.mailboxes[connection.loop].send(command) }
  }

  private func dial(_ address: PeerAddress, _ pinned: PeerID?, _ id: ConnectionID) {
    let connection = Connection(
      address: SocketAddress(address), pinned: pinned, loop: nextLoop, suite: context.configuration.suites[0])
    nextLoop = (nextLoop + 1) % context.mailboxes.count
    connections[id] = connection
    dial(connection, id)
  }

  private func dial(_ connection: Connection, _ id: ConnectionID) {
    send(.dial(id, connection.address, pinned: connection.pinned, suite: connection.suite, link), to: id)
  }
}
