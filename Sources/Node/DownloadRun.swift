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
  private static let streamWindowChunks = NodeLimits.reorderBytesMax / ChunkLayout.wireChunkSize
  /// How long loops may take to say goodbye.
  private static let goodbyeGrace = Duration.milliseconds(250)
  private static let progressInterval = Duration.milliseconds(200)

  private struct Connection {
    let address: SocketAddress
    let pinned: PeerID?
    let loop: Int
    var suite: CipherSuite
    var peer: PeerID?
    /// Why it is of no more use has been said; how it then ends need not be.
    var isDismissed = false
  }

  private let fileID: FileID
  /// Said of the file before any peer was asked.
  private let expectedLength: UInt64?
  /// Those of the start that are addresses and no names.
  private let addresses: [(SocketAddress, pinned: PeerID?)]
  let names: PeerLookups
  private let target: DownloadTarget
  private let context: NodeContext
  private let control: Mailbox<DownloadMessage>
  let onUpdate: (DownloadUpdate) -> Void

  var state: DownloadState
  private var clock = LoopClock()
  var now: Instant
  private var epoll: Epoll
  private let link: DownloadLink
  private let jobs = BlockingQueue<VerifyJob>()
  private var verifiers: VerifyPool?
  private var preparation: (storage: StoragePreparation, thread: Thread)?
  private var resumer: DownloadResumer?
  private var journal: DownloadJournal?
  private var loops: [Thread] = []
  private var asker: DiscoveryAsker?
  private let peersWanted: Int

  /// Whether more addresses are waited for: of names, and of the search for peers that nobody named.
  var isDiscovering = true
  var isSearching = false
  private var connections: [ConnectionID: Connection] = [:]
  private var nextLoop = 0
  private var manifest: Manifest?
  private var name = ""
  private var part: PartFile?
  /// Where the file was found finished.
  private var foundPath: String?
  private var stream: OrderedStream?
  private var chunkHashes: [PageIndex: [Digest]] = [:]
  private var hasWritten = false
  private var streamedChunks = 0
  private var storageError: PartFileError?
  private var outcome: Result<DownloadStats, DownloadError>?

  init(
    _ fileID: FileID, length: UInt64?, peers: [PeerSource], target: DownloadTarget, configuration: NodeConfiguration,
    settings: DownloadSettings, resolve: @escaping Resolver, control: Mailbox<DownloadMessage>,
    onUpdate: @escaping (DownloadUpdate) -> Void
  ) throws(Errno) {
    self.fileID = fileID
    expectedLength = length
    self.target = target
    self.control = control
    self.onUpdate = onUpdate
    context = try NodeContext(configuration, catalogue: nil, report: { _ in })
    now = clock.now()
    peersWanted = settings.maxWorkers
    var settings = settings
    if target.isStream { settings.order = .inOrder(windowChunks: DownloadRun.streamWindowChunks) }
    state = DownloadState(settings: settings, generator: SeededGenerator(seed: Random.uint64()), at: now)
    epoll = try Epoll()
    try epoll.add(control.number, token: 0, .readable)
    addresses = peers.compactMap { peer in peer.host.address.map { ($0, pinned: peer.pinned) } }
    names = PeerLookups(
      peers.filter { $0.host.address == nil }, peersWanted: settings.maxWorkers, resolve: resolve, control: control,
      at: now)
    let key = FileKey(fileID, swarm: configuration.swarmKey)
    let context = self.context
    link = DownloadLink(
      fileID: fileID, key: key,
      blocks: BlockPool(limit: DownloadRun.blocksMax) { context.tellAllLoops(.blocksAvailable) }, control: control,
      jobs: jobs)
    if let discovery = configuration.discovery {
      // Without anybody to ask on the network, whoever was named is all there is.
      let time =
        peers.isEmpty
        ? DiscoverySettings.searchTime : discovery.multicast ? DiscoverySettings.searchTimeWithPeers : .zero
      asker = try DiscoveryAsker(
        discovery, key: key, own: configuration.identity.peerID, firstPhase: time, control: control)
      isSearching = true
    }
  }

  func run() throws(DownloadError) -> DownloadResult {
    do throws(Errno) {
      for i in context.mailboxes.indices {
        loops.append(NetworkLoop.start(try NetworkLoop(context: context, index: i)))
      }
    } catch {
      stop()
      throw .system(error)
    }
    for (address, pinned) in addresses { add(address, pinned: pinned) }
    discover()
    perform()
    var nextProgress = now
    while outcome == nil {
      let due = [state.deadline, journal?.deadline, names.deadline, nextProgress].compactMap { $0 }.min()!
      let wait = max(0, (due - now).wholeNanoseconds)
      let milliseconds = Int32(clamping: (wait + 999_999) / 1_000_000)
      do { try epoll.wait(milliseconds: milliseconds) { _, _ in } } catch { preconditionFailure("epoll: \(error)") }
      now = clock.now(afterWaiting: milliseconds)
      for message in control.takeAll() where outcome == nil { receive(message) }
      if let deadline = state.deadline, now >= deadline, outcome == nil { tell(.timerFired) }
      if let deadline = journal?.deadline, now >= deadline { journal?.handle(.timerFired, at: now) }
      discover()
      perform()
      if now >= nextProgress {
        nextProgress = now + DownloadRun.progressInterval
        asker?.peers(live: state.livePeerCount, wanted: peersWanted)
        if part != nil { onUpdate(.progress(state.progress(at: now))) }
      }
      now = clock.now()
    }
    return try finish()
  }

  func tell(_ event: DownloadEvent) { state.handle(event, at: now) }

  // MARK: What happened

  private func receive(_ message: DownloadMessage) {
    switch message {
    case .connected(let id, let peer, let requestsMax):
      connections[id]?.peer = peer
      tell(.connected(id, peer, requestsMax: requestsMax))
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
    case .answerEnded(let id, let request): tell(.answerEnded(id, request))
    case .shared(let id, .have(let runs)): tell(.have(id, runs))
    case .shared(let id, .bitmap(let bitmap)): tell(.bitmap(id, bitmap))
    case .shared(let id, .promised(let chunks)): tell(.promised(id, chunks))
    case .shared(let id, .peers(let entries)): tell(.peers(id, entries))
    case .shared: break
    case .verified(let id, let request, let chunk, let leaves, let leafHashes, let streamedBelow):
      hasWritten = true
      journal?.handle(.verified(chunk, mask: leaves.mask, leafHashes: leafHashes), at: now)
      if let streamedBelow { streamed(below: streamedBelow) }
      tell(.leavesVerified(id, request, chunk, leaves))
    case .corrupt(let id, let chunk):
      dismiss(id, .lied("chunk \(chunk.rawValue) does not hash"))
      tell(.lied(id))
    case .writeFailed(let error):
      if storageError == nil { storageError = error }
      tell(.writeFailed)
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
    onUpdate(.peerEnded(connection.address, connection.peer, end))
  }

  private func received(_ page: HashPage, from id: ConnectionID) {
    journal?.handle(.page(page), at: now)
    if let resumer, chunkHashes[page.index] == nil {
      tell(.pageArrived(page.index, from: id))
      resumer.compare(page, from: id)  // what is in the file already is looked at before anything is asked for
    } else {
      chunkHashes[page.index] = page.chunkHashes
      tell(.pageVerified(page.index, from: id))
    }
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
    default: if !connection.isDismissed { onUpdate(.peerEnded(connection.address, connection.peer, end)) }
    }
    if case .lied = end { tell(.lied(id)) } else { tell(.connectionLost(id, end.lossReason)) }
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
    case .request(let id, let request, let chunk, let leaves, _):
      let page = PageLayout(manifest!.layout).page(of: chunk)
      let hash = chunkHashes[page]![Int(chunk.rawValue) % PageLayout.wireChunksPerPage]
      send(.request(id, FetchRequest(id: request, chunk: chunk, leaves: leaves, chunkHash: hash)), to: id)
    case .cancel(let id, let request): send(.cancel(id, request), to: id)
    case .disconnect(let id, let reason):
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

  private func send(_ command: LoopCommand, to id: ConnectionID) {
    if let connection = connections[id] { context.mailboxes[connection.loop].send(command) }
  }

  private func dial(_ address: PeerAddress, _ pinned: PeerID?, _ id: ConnectionID) {
    let connection = Connection(
      address: SocketAddress(ip: address.ip, port: address.port, scope: address.scope), pinned: pinned, loop: nextLoop,
      suite: context.configuration.suites[0])
    nextLoop = (nextLoop + 1) % context.mailboxes.count
    connections[id] = connection
    dial(connection, id)
  }

  private func dial(_ connection: Connection, _ id: ConnectionID) {
    send(.dial(id, connection.address, pinned: connection.pinned, suite: connection.suite, link), to: id)
  }

  // MARK: The file

  private func prepareStorage() {
    guard let manifest else { preconditionFailure("no manifest is verified yet") }
    if !target.isStream {
      let storage = StoragePreparation(fileID, manifest, target)
      preparation = (storage, storage.start(control: control))
      return
    }
    name = target.name ?? target.name(suggestedBy: manifest)
    do throws(PartFileError) {
      startVerifiers(.stream(try openStream(manifest.layout)))
    } catch {
      storageError = error
      return tell(.writeFailed)
    }
    onUpdate(.prepared(name: name, length: manifest.length))
    tell(.storageReady(Resumable()))
  }

  private func prepared(_ result: Result<PreparedStorage, PartFileError>) {
    guard let manifest else { preconditionFailure("storage is prepared for a manifest") }
    var resumable = Resumable()
    do throws(PartFileError) {
      switch try result.get() {
      case .complete(let name, let path):
        (self.name, foundPath) = (name, path)
        resumable.leaves = (0..<UInt32(manifest.layout.chunkCount)).map { (ChunkIndex($0), .max) }
      case .part(let part):
        begin(part, manifest)
        resumable.heldPages = part.resume.pages.map(\.index)
      }
    } catch {
      storageError = error
      return tell(.writeFailed)
    }
    onUpdate(.prepared(name: name, length: manifest.length))
    if let foundPath { onUpdate(.found(path: foundPath)) }
    tell(.storageReady(resumable))
  }

  private func begin(_ prepared: PreparedPart, _ manifest: Manifest) {
    (name, part) = (prepared.name, prepared.file)
    startVerifiers(.part(prepared.file))
    journal = DownloadJournal(
      JournalState(after: prepared.journal?.contents, in: manifest.layout), part: prepared.file,
      file: prepared.journal?.file, name: prepared.name, replaces: target.replaces, control: control)
    guard prepared.file.isResumed else { return }
    resumer = DownloadResumer(prepared.file, manifest.layout, prepared.resume, control: control)
    for page in prepared.resume.pages { resumer?.compare(page, from: nil) }
  }

  private func startVerifiers(_ sink: VerifiedSink) {
    verifiers = VerifyPool(
      count: max(2, min(Thread.processorCount, 8)), jobs: jobs, sink: sink, blocks: link.blocks, control: control)
  }

  /// What of a page's chunks was found in the part file.
  private func resumed(_ page: HashPage, _ leaves: [(chunk: ChunkIndex, mask: UInt64)], from id: ConnectionID?) {
    let layout = manifest!.layout
    chunkHashes[page.index] = page.chunkHashes
    let wholeCount = leaves.count { $0.mask == layout.leaves(of: $0.chunk).mask }
    if wholeCount > 0 { onUpdate(.resumed(chunks: wholeCount)) }
    tell(.resumed(leaves))
    tell(.pageVerified(page.index, from: id))
  }

  private func openStream(_ layout: ChunkLayout) throws(PartFileError) -> OrderedStream {
    do throws(Errno) {
      let stream = OrderedStream(try File.standardOutput(), leafSize: layout.leafSize)
      self.stream = stream
      return stream
    } catch {
      throw .cannotCreate(error)
    }
  }

  /// A stream's window moves on by whole chunks.
  private func streamed(below offset: UInt64) {
    let layout = manifest!.layout
    let chunk = offset >= layout.fileLength ? layout.chunkCount : Int(offset / UInt64(layout.chunkSize))
    guard chunk > streamedChunks else { return }
    streamedChunks = chunk
    tell(.consumed(below: ChunkIndex(UInt32(chunk))))
  }

  // MARK: The end

  private func finish() throws(DownloadError) -> DownloadResult {
    stop()
    var unheard = unheardOfDisk()
    guard var outcome else { preconditionFailure("the download runs") }
    if case .success = outcome, let storageError { outcome = .failure(.storage(storageError)) }
    switch outcome {
    case .success(let stats):
      do throws(PartFileError) {
        try stream?.finish(length: manifest!.length)
        try journal?.end(unheard + [.completed], at: now)
      } catch {
        throw .storage(error)
      }
      let path = part.map { $0.outputPath(name) }
      return DownloadResult(stats: stats, path: path ?? foundPath, name: name, wasFound: foundPath != nil)
    case .failure(let failure):
      if let part, !part.isResumed, !hasWritten {
        try? part.discard()
        throw failure
      }
      unheard.append(.stopped)
      // What is not kept after all is to be said, unless worse has been.
      do throws(PartFileError) { try journal?.end(unheard, at: now) } catch {
        if storageError == nil { throw .storage(error) }
      }
      throw failure
    }
  }

  /// What threads have told of the disk since the download ended.
  private func unheardOfDisk() -> [JournalEvent] {
    var events: [JournalEvent] = []
    for message in control.takeAll() {
      switch message {
      case .prepared(.success(.part(let prepared))): if part == nil { part = prepared.file }
      case .verified(_, _, let chunk, let leaves, let leafHashes, _):
        hasWritten = true
        events.append(.verified(chunk, mask: leaves.mask, leafHashes: leafHashes))
      case .journal(let event): events.append(event)
      case .writeFailed(let error): if storageError == nil { storageError = error }
      default: break
      }
    }
    return events
  }

  /// Ends all threads of the download. What has arrived for a part file is still verified and written.
  private func stop() {
    asker.take()?.stop()
    context.tellAllLoops(.shutDown(.done, grace: DownloadRun.goodbyeGrace))
    if let (storage, thread) = preparation.take() {
      storage.stop()
      thread.join()
    }
    resumer?.stop()
    if let verifiers = verifiers.take() { verifiers.stop(discarding: stream != nil) }
    jobs.close(discarding: true)
    journal?.stop()
    for loop in loops { loop.join() }
    loops = []
  }
}
