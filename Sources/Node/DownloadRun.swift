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
  private let peers: [PeerSource]
  private let target: DownloadTarget
  private let context: NodeContext
  private let control: Mailbox<DownloadMessage>
  private let onUpdate: (DownloadUpdate) -> Void

  private var state: DownloadState
  private var clock = LoopClock()
  private var now: Instant
  private var epoll: Epoll
  private let link: DownloadLink
  private let jobs = BlockingQueue<VerifyJob>()
  private let pagesToResume = BlockingQueue<(ConnectionID, HashPage)>()
  private var verifiers: VerifyPool?
  private var resumer: Thread?
  private var loops: [Thread] = []

  private var unresolved: Int
  private var connections: [ConnectionID: Connection] = [:]
  private var nextLoop = 0
  private var manifest: Manifest?
  private var name = ""
  private var part: PartFile?
  private var stream: OrderedStream?
  private var chunkHashes: [PageIndex: [Digest]] = [:]
  private var hasWritten = false
  private var streamedChunks = 0
  private var storageError: PartFileError?
  private var outcome: Result<DownloadStats, DownloadError>?

  init(
    _ fileID: FileID, peers: [PeerSource], target: DownloadTarget, configuration: NodeConfiguration,
    settings: DownloadSettings, control: Mailbox<DownloadMessage>, onUpdate: @escaping (DownloadUpdate) -> Void
  ) throws(Errno) {
    self.fileID = fileID
    self.peers = peers
    self.target = target
    self.control = control
    self.onUpdate = onUpdate
    context = try NodeContext(configuration, catalogue: nil, report: { _ in })
    now = clock.now()
    var settings = settings
    if target.isStream { settings.order = .inOrder(windowChunks: DownloadRun.streamWindowChunks) }
    state = DownloadState(settings: settings, generator: SeededGenerator(seed: Random.uint64()), at: now)
    epoll = try Epoll()
    try epoll.add(control.number, token: 0, .readable)
    unresolved = peers.count
    let context = self.context
    link = DownloadLink(
      fileID: fileID, key: FileKey(fileID, swarm: configuration.swarmKey),
      blocks: BlockPool(limit: DownloadRun.blocksMax) { context.tellAllLoops(.blocksAvailable) }, control: control,
      jobs: jobs)
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
    resolvePeers()
    if peers.isEmpty { tell(.discoveryFinished) }
    perform()
    var nextProgress = now
    while outcome == nil {
      let due = min(state.deadline ?? nextProgress, nextProgress)
      let wait = max(0, (due - now).wholeNanoseconds)
      let milliseconds = Int32(clamping: (wait + 999_999) / 1_000_000)
      do { try epoll.wait(milliseconds: milliseconds) { _, _ in } } catch { preconditionFailure("epoll: \(error)") }
      now = clock.now(afterWaiting: milliseconds)
      for message in control.takeAll() where outcome == nil { receive(message) }
      if let deadline = state.deadline, now >= deadline, outcome == nil { tell(.timerFired) }
      perform()
      if now >= nextProgress {
        nextProgress = now + DownloadRun.progressInterval
        if part != nil { onUpdate(.progress(state.progress(at: now))) }
      }
      now = clock.now()
    }
    return try finish()
  }

  private func tell(_ event: DownloadEvent) { state.handle(event, at: now) }

  // MARK: What happened

  private func receive(_ message: DownloadMessage) {
    switch message {
    case .connected(let id, let peer, let requestsMax):
      connections[id]?.peer = peer
      tell(.connected(id, peer, requestsMax: requestsMax))
    case .dialFailed(let id, let end): dialFailed(id, end)
    case .connectionLost(let id, let end): lost(id, end)
    case .opened(let id, let manifest, let isComplete):
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
    case .verified(let id, let request, let chunk, let leaves, let streamedBelow):
      hasWritten = true
      if let streamedBelow { streamed(below: streamedBelow) }
      tell(.leavesVerified(id, request, chunk, leaves))
    case .corrupt(let id, let chunk):
      dismiss(id, .lied("chunk \(chunk.rawValue) does not hash"))
      tell(.lied(id))
    case .writeFailed(let error):
      if storageError == nil { storageError = error }
      tell(.writeFailed)
    case .resumed(let id, let page, let chunks):
      chunkHashes[page.index] = page.chunkHashes
      if !chunks.isEmpty { onUpdate(.resumed(chunks: chunks.count)) }
      let layout = manifest!.layout
      tell(.resumed(chunks.map { ($0, layout.leaves(of: $0).mask) }))
      tell(.pageVerified(page.index, from: id))
    case .resolved(let source, let result): resolved(source, result)
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
    if let part, part.isResumed, chunkHashes[page.index] == nil {
      tell(.pageArrived(page.index, from: id))
      pagesToResume.put((id, page))  // what is in the file already is looked at before anything is asked for
    } else {
      chunkHashes[page.index] = page.chunkHashes
      tell(.pageVerified(page.index, from: id))
    }
  }

  private func dialFailed(_ id: ConnectionID, _ end: ConnectionEnd) {
    guard let connection = connections[id] else { return }
    if case .handshake(.suiteUnsupported(let suite)) = end, suite != connection.suite {
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

  // MARK: Names of peers

  /// Looks every name up on a thread of its own, since the resolver blocks.
  private func resolvePeers() {
    let control = self.control
    for source in peers {
      Thread.start(name: "p2p-resolve") {
        do throws(ResolutionFailure) {
          control.send(.resolved(source, .success(try source.host.resolve())))
        } catch {
          control.send(.resolved(source, .failure(error)))
        }
      }.detach()
    }
  }

  private func resolved(_ source: PeerSource, _ result: Result<[SocketAddress], ResolutionFailure>) {
    unresolved -= 1
    switch result {
    case .success(let addresses):
      for address in addresses {
        tell(
          .addressAdded(
            PeerAddress(ip: address.ip, port: address.port, scope: address.scope), pinned: source.pinned))
      }
    case .failure(let failure): onUpdate(.unresolved(source, failure.reason))
    }
    if unresolved == 0 { tell(.discoveryFinished) }
  }

  // MARK: The file

  private func prepareStorage() {
    guard let manifest else { preconditionFailure("no manifest is verified yet") }
    name = target.name ?? manifest.fileName ?? String(fileID.hex.prefix(16))
    do throws(PartFileError) {
      let sink =
        target.isStream
        ? VerifiedSink.stream(try openStream(manifest.layout)) : .part(try openPart(manifest.length))
      verifiers = VerifyPool(
        count: max(2, min(Thread.processorCount, 8)), jobs: jobs, sink: sink, blocks: link.blocks, control: control)
    } catch {
      storageError = error
      return tell(.writeFailed)
    }
    if let part, part.isResumed { startResumer(part, manifest.layout) }
    onUpdate(.prepared(name: name, length: manifest.length))
    tell(.storageReady(Resumable()))
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

  private func openPart(_ length: UInt64) throws(PartFileError) -> PartFile {
    let part = try PartFile(inFolder: target.folder, fileID: fileID, length: length)
    self.part = part
    try part.checkPlace(name, force: target.replaces)
    return part
  }

  /// A stream's window moves on by whole chunks.
  private func streamed(below offset: UInt64) {
    let layout = manifest!.layout
    let chunk = offset >= layout.fileLength ? layout.chunkCount : Int(offset / UInt64(layout.chunkSize))
    guard chunk > streamedChunks else { return }
    streamedChunks = chunk
    tell(.consumed(below: ChunkIndex(UInt32(chunk))))
  }

  /// Compares what an earlier download left with the pages as they come.
  private func startResumer(_ part: PartFile, _ layout: ChunkLayout) {
    let (pages, control) = (pagesToResume, control)
    resumer = Thread.start(name: "p2p-resume") {
      while let (id, page) = pages.take() {
        do throws(PartFileError) {
          let first = ChunkIndex(page.index.rawValue * UInt32(PageLayout.wireChunksPerPage))
          let chunks = try part.verifiedChunks(from: first, hashes: page.chunkHashes, in: layout) { pages.isOver }
          control.send(.resumed(id, page, chunks))
        } catch {
          control.send(.writeFailed(error))
        }
      }
    }
  }

  // MARK: The end

  private func finish() throws(DownloadError) -> DownloadResult {
    stop()
    guard let outcome else { preconditionFailure("the download runs") }
    do throws(DownloadError) {
      let stats = try outcome.get()
      do throws(PartFileError) {
        guard let part else {
          try stream?.finish(length: manifest!.length)
          return DownloadResult(stats: stats, path: nil, name: name)
        }
        let path = try part.finish(as: name, force: target.replaces)
        return DownloadResult(stats: stats, path: path, name: name)
      } catch {
        throw .storage(error)
      }
    } catch {
      if let part, !part.isResumed, !hasWritten { try? part.discard() }
      throw error
    }
  }

  /// Ends all threads of the download.
  private func stop() {
    context.tellAllLoops(.shutDown(.done, grace: DownloadRun.goodbyeGrace))
    pagesToResume.close(discarding: true)
    if let resumer = resumer.take() { resumer.join() }
    if let verifiers = verifiers.take() { verifiers.stop() }
    jobs.close(discarding: true)
    for loop in loops { loop.join() }
    loops = []
  }
}
