// One download while it runs: messages and times go in, and the decisions of the brain are performed.
import Content
import Posix
import Sodium
import Storage
import Transfer
import Wire

/// A download, without a thread of its own: `ControlLoop` hands in messages and times. Each may change `deadline`.
/// Confined to the loop's thread.
final class DownloadRun {
  /// Chunks that a stream may hold back to bring them in order: 16 MiB.
  private static let streamWindowChunks = NodeLimits.reorderBytesMax / ChunkLayout.wireChunkSize
  private static let progressInterval = Duration.milliseconds(200)

  typealias Outcome = Result<DownloadStats, DownloadError>

  enum Phase {
    case fetching
    /// The brain has ended the download.
    case decided(Outcome)
    /// The work of the download ends; the messages that it sends last are heard.
    case stopped(Outcome)
    /// The reader of a stream takes the rest of it.
    case passingOn(DownloadStats)
    /// The disk finishes the output.
    case finishing(Outcome)
    /// The finished file stays offered.
    case staying(DownloadResult, until: Instant?)
    case over(Result<DownloadResult, DownloadError>)
  }

  let context: NodeContext
  let link: DownloadLink
  /// The length of the file, in bytes, that was given before any peer was asked.
  let expectedLength: UInt64?
  /// Called on the control thread: it must not wait, and runs no code of the program.
  let onUpdate: (DownloadUpdate) -> Void
  /// Called on the control thread when the listing of a folder is there. The download then stays until it is cancelled.
  /// Nil: only the listing was asked for.
  let onListed: ((ListedFolder) -> Void)?
  /// If the contents of a folder are fetched.
  private let files: FolderFiles?
  let nodeConnections: NodeConnections
  /// Leaves that the download of a folder need not fetch, since the disk has them.
  private let heldLeaves: WantedLeaves
  /// Peers that probably have the content.
  private let knownPeers: [KnownPeer]
  /// Whether the ID must be that of a folder, of which only the listing is fetched.
  let isListingOnly: Bool
  var state: DownloadState
  var manifest: Manifest?
  /// Nil until the manifest is verified.
  private(set) var chunkHashes: KnownChunkHashes?
  let search: PeerSearch
  let connections: DownloadConnections
  let output: DownloadOutput
  let sharing: DownloadSharing
  private var nextProgress: Instant
  /// The wait that was reported last; nil: none.
  var reportedWait: PeerWait?
  var phase = Phase.fetching
  /// The program cancelled it after the brain had ended it.
  var isCancelledLate = false

  /// - `link`: as `DownloadRun.link` made it, for this download alone.
  /// - `length`: of the file, in bytes, if it is known; nil if not.
  /// - `sharing`: nil: other peers get nothing.
  /// - `contents`: if the contents of a folder are fetched.
  /// - `isListingOnly`: the download fails if the ID is that of a file.
  init(
    _ link: DownloadLink, length: UInt64?, peers: [PeerSource], target: DownloadTarget, on context: NodeContext,
    over nodeConnections: NodeConnections, settings: DownloadSettings, sharing: Sharing?,
    contents: FolderContents? = nil, isListingOnly: Bool = false,
    resolve: @escaping Resolver, onUpdate: @escaping (DownloadUpdate) -> Void,
    onListed: ((ListedFolder) -> Void)? = nil, at now: Instant
  ) {
    self.context = context
    self.nodeConnections = nodeConnections
    self.onUpdate = onUpdate
    expectedLength = length
    self.isListingOnly = isListingOnly
    self.link = link
    var settings = settings
    if target.isStream { settings.order = .inOrder(windowChunks: DownloadRun.streamWindowChunks) }
    settings.shares = sharing != nil
    settings.wanted = contents?.wanted ?? .all
    settings.zone = context.configuration.zone.map {
      ZoneMembership(name: $0, member: context.configuration.identity.peerID)
    }
    state = DownloadState(settings: settings, generator: SeededGenerator(seed: Random.uint64()), at: now)
    search = PeerSearch(
      peers, peersWanted: settings.maxWorkers, isAsking: context.configuration.discovery != nil,
      isPatient: settings.patience != .none, resolve: resolve, link: link, onUpdate: onUpdate, at: now)
    connections = DownloadConnections(
      nodeConnections, own: context.configuration.identity.peerID, link, onUpdate: onUpdate)
    output = DownloadOutput(target, link, contents)
    knownPeers = contents?.peers ?? []
    files = contents?.files
    heldLeaves = contents?.held ?? .none
    if let contents, contents.isHere { manifest = contents.manifest }
    self.onListed = onListed
    self.sharing = DownloadSharing(sharing, DownloadShare(key: link.key, link: link), context)
    nextProgress = now
  }

  /// Whether what is fetched is the listing of a folder.
  var isListing: Bool { manifest?.kind == .folder }

  /// The way to a download of the contents of a folder, as `link(to:of:)`.
  static func link(toContentsOf folder: FolderLayout, of context: NodeContext) -> DownloadLink {
    let key = FileKey(folder.folderID, swarm: context.swarmKey)
    return DownloadLink(
      fileID: folder.contentsID, key: FileKey(folder.contentsID, swarm: context.swarmKey), folder: (folder, key),
      on: context.threads
    ) { [weak context] download in context?.sendToAllLoops(.blocksAvailable(download)) }
  }

  /// The way to a download of a file by a node, which other threads may have before it begins.
  static func link(to fileID: FileID, of context: NodeContext) -> DownloadLink {
    DownloadLink(fileID: fileID, key: FileKey(fileID, swarm: context.swarmKey), on: context.threads) {
      [weak context] download in context?.sendToAllLoops(.blocksAvailable(download))
    }
  }

  /// Starts to fetch. The node's loops run.
  func begin(at now: Instant) {
    // Nothing of the folder is missing: no peer is asked, and others can have it.
    if link.folder != nil, let manifest {
      decide(.foundHere(manifest.layout), at: now)
      return perform(at: now)
    }
    // For the contents of a folder it was reported before the listing.
    if let address = context.address, sharing.isShared, link.folder == nil { onUpdate(.listening(address)) }
    // The peers that were named are dialled first, and while they answer the search begins.
    for event in search.known { decide(event, at: now) }
    for known in knownPeers { decide(.addressHinted(known.address, known.peer), at: now) }
    perform(at: now)
    if let asker = context.asker { ask(with: asker) }
    if link.folder == nil { output.startLook(expectedLength) }
    lookUp(at: now)
    perform(at: now)
  }

  private func ask(with asker: DiscoveryAsker) {
    let multicast = context.configuration.discovery?.multicast ?? false
    do throws(Errno) { try search.ask(with: asker, multicast: multicast) } catch {
      phase = .decided(.failure(.system(error)))
    }
  }

  private func lookUp(at now: Instant) {
    let event = search.lookUp(livePeers: state.livePeerCount, isLooking: output.isLooking, at: now)
    if let event { decide(event, at: now) }
  }

  // MARK: Times

  /// When to call `fire`; nil if nothing waits for a time.
  var deadline: Instant? {
    switch phase {
    case .fetching:
      [state.deadline, output.deadline, search.deadline, sharing.deadline, nextProgress].compactMap { $0 }.min()
    case .decided: .zero
    case .stopped: output.isAtRest ? .zero : nil
    case .passingOn, .finishing, .over: nil
    case .staying(_, let end): end
    }
  }

  /// Time has passed, or messages were handed in.
  func fire(at now: Instant) {
    switch phase {
    case .fetching: goOn(at: now)
    case .decided(let outcome): stopFetching(outcome, at: now)
    case .stopped(let outcome): if output.isAtRest { end(outcome, at: now) }
    case .staying(let result, let end?) where now >= end: phase = .over(.success(result))
    case .passingOn, .finishing, .staying, .over: break
    }
  }

  private func goOn(at now: Instant) {
    if let deadline = state.deadline, now >= deadline { decide(.timerFired, at: now) }
    output.fire(at: now)
    lookUp(at: now)
    perform(at: now)
    search.note(livePeers: state.livePeerCount, isTick: false)
    if reportedWait != nil { reportWait(at: now) }
    sharing.fire(at: now)
    if now >= nextProgress {
      nextProgress = now + DownloadRun.progressInterval
      link.threads.verifiers.relieve()
      search.note(livePeers: state.livePeerCount, isTick: true)
      reportProgress(at: now)
      reportWait(at: now)
    }
    if case .decided(let outcome) = phase { stopFetching(outcome, at: now) }
  }

  func reportProgress(at now: Instant) {
    guard output.part != nil, !isListing else { return }
    let progress = state.progress(at: now)
    onUpdate(.progress(files?.adding(to: progress) ?? progress))
  }

  // MARK: The brain

  func perform(at now: Instant) {
    while case .fetching = phase, let action = state.nextAction() { perform(action, at: now) }
  }

  private func perform(_ action: DownloadAction, at now: Instant) {
    switch action {
    case .dial(let address, let pinned, let id): connections.dial(address, pinned: pinned, id)
    case .open(let id): connections.open(id)
    case .prepareStorage: prepareStorage(at: now)
    case .fetchPage(let page, let id): connections.fetchPage(page, from: id)
    case .request(let id, let request, let chunk, let leaves, let needed):
      connections.request(fetchRequest(request, leaves, needed: needed, of: chunk), from: id)
    case .cancel(let id, let request): connections.cancel(request, from: id)
    case .disconnect(let id, let reason):
      if let event = connections.disconnect(id, reason) { decide(event, at: now) }
    case .report(let report): if !isListing || report.isAboutPeer { onUpdate(.report(report)) }
    case .filesCompleted(let entries): if let files { onUpdate(.files(files.completed(entries))) }
    case .finished(let stats): phase = .decided(.success(stats))
    case .failed(let failure, let stats):
      if let wait = state.endedWait { onUpdate(.waiting(wait)) }
      phase = .decided(
        .failure(output.error.map { .storage($0) } ?? .failed(failure, stats, part: output.keptPath)))
    }
  }

  private func fetchRequest(
    _ id: RequestID, _ leaves: LeafRange, needed: UInt64, of chunk: ChunkIndex
  ) -> FetchRequest {
    guard let chunkHashes, let hash = chunkHashes.hash(of: chunk) else {
      preconditionFailure("a chunk is asked for when its hash is known")
    }
    let known = sharing.share.knownLeafHashes(of: chunk) ?? chunkHashes.pages.layout.folder?.knownLeafHashes(of: chunk)
    return FetchRequest(
      id: id, chunk: chunk, leaves: leaves, needed: needed, chunkHash: hash, leafHashes: known)
  }

  // MARK: Storage

  private func prepareStorage(at now: Instant) {
    guard let manifest else { preconditionFailure("no manifest is verified yet") }
    do throws(PartFileError) {
      if let resumable = try output.prepare(manifest) { begin(manifest, resumable, at: now) }
    } catch {
      failed(error, at: now)
    }
  }

  func prepared(_ result: Result<PreparedStorage, PartFileError>, at now: Instant) {
    guard let manifest else { preconditionFailure("storage is prepared for a manifest") }
    switch result {
    case .success(let prepared): begin(manifest, output.begin(prepared, manifest), at: now)
    case .failure(let error): failed(error, at: now)
    }
  }

  private func begin(_ manifest: Manifest, _ resumable: Resumable, at now: Instant) {
    chunkHashes = KnownChunkHashes(PageLayout(manifest.layout))
    sharing.begin(manifest, output.place)
    if let folder = manifest.layout.folder { for chunk in folder.sharedChunks { offerHeld(chunk, manifest.layout) } }
    for page in output.knownPages { learned(page) }
    guard !isListing else {
      onUpdate(.listing(length: manifest.length))
      return decide(.storageReady(resumable), at: now)
    }
    onUpdate(.prepared(name: output.name, length: manifest.length))
    if let found = output.found { onUpdate(.found(path: found.path)) }
    if let held = files?.heldFiles { onUpdate(.files(held)) }
    decide(.storageReady(resumable), at: now)
  }

  func failed(_ error: PartFileError, at now: Instant) {
    output.failed(error)
    decide(.writeFailed, at: now)
  }

  /// Whether the chunks of a page were never asked for before.
  func isNew(_ page: HashPage) -> Bool { chunkHashes?.has(page.index) != true }

  func learned(_ page: HashPage) {
    chunkHashes?.add(page)
    sharing.share.add(page)
    guard let pages = chunkHashes?.pages else { return }
    for chunk in pages.chunks(of: page.index) { offerHeld(ChunkIndex(UInt32(chunk)), pages.layout) }
  }

  /// Peers may have leaves of a chunk that were there before. Its hash is known.
  private func offerHeld(_ chunk: ChunkIndex, _ layout: ChunkLayout) {
    let mask = heldLeaves.mask(of: chunk) & layout.leaves(of: chunk).mask
    guard mask != 0 else { return }
    sharing.share.add(mask, of: chunk, leafHashes: layout.folder?.knownLeafHashes(of: chunk))
  }
}
