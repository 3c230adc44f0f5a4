// One running download: takes messages and times, and performs the decisions of its state machine.
import Content
import Posix
import Sodium
import Storage
import Transfer
import Wire

/// A running download. It has no thread of its own: `ControlLoop` gives it messages and times, and each may change
/// `deadline`. Confined to the loop's thread.
final class DownloadRun {
  /// How many chunks a stream may hold back to put them in order: 16 MiB.
  private static let streamWindowChunks = NodeLimits.reorderBytesMax / ChunkLayout.wireChunkSize
  private static let progressInterval = Duration.milliseconds(200)

  typealias Outcome = Result<DownloadStats, DownloadError>

  enum Phase {
    case fetching
    /// The state machine has ended the download.
    case decided(Outcome)
    /// The work of the download ends. Its last messages are still handled.
    case stopped(Outcome)
    /// The reader of a stream reads the rest of it.
    case passingOn(DownloadStats)
    /// The last job finishes the output.
    case finishing(Outcome)
    /// The finished file stays offered.
    case staying(DownloadResult, until: Instant?)
    case over(Result<DownloadResult, DownloadError>)
  }

  let context: NodeContext
  let link: DownloadLink
  /// The length in bytes that the caller expects; nil: any.
  let expectedLength: UInt64?
  /// Called on the control thread: it must not wait, and runs no code of the program.
  let onUpdate: (DownloadUpdate) -> Void
  /// Called on the control thread when the listing of a folder is complete. The download then stays until it is
  /// cancelled. Nil: only a listing is wanted.
  let onListed: ((ListedFolder) -> Void)?
  /// The files of a folder whose contents are fetched; else nil.
  private let files: FolderFiles?
  let nodeConnections: NodeConnections
  /// Leaves of a folder that the disk already has.
  private let heldLeaves: WantedLeaves
  /// Peers that probably have the content.
  private let knownPeers: [KnownPeer]
  /// Whether the ID must name a folder, and only its listing is fetched.
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
  /// The wait that was last reported; nil: none.
  var reportedWait: PeerWait?
  var phase = Phase.fetching
  /// Whether the program cancelled the download after the state machine had ended it.
  var isCancelledLate = false

  /// - `link`: made by `DownloadRun.link` for this download alone.
  /// - `length`: the expected length in bytes; nil: any.
  /// - `sharing`: nil: nothing is offered to other peers.
  /// - `contents`: given if the contents of a folder are fetched.
  /// - `isListingOnly`: the download fails if the ID names a file.
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

  /// Whether the download fetches the listing of a folder.
  var isListing: Bool { manifest?.kind == .folder }

  /// Makes the link of a download of a folder's contents, like `link(to:of:)`.
  static func link(toContentsOf folder: FolderLayout, of context: NodeContext) -> DownloadLink {
    let key = FileKey(folder.folderID, swarm: context.swarmKey)
    return DownloadLink(
      fileID: folder.contentsID, key: FileKey(folder.contentsID, swarm: context.swarmKey), folder: (folder, key),
      on: context.threads
    ) { [weak context] download in context?.sendToAllLoops(.blocksAvailable(download)) }
  }

  /// Makes the link of a download. Other threads may use it before the download begins.
  static func link(to fileID: FileID, of context: NodeContext) -> DownloadLink {
    DownloadLink(fileID: fileID, key: FileKey(fileID, swarm: context.swarmKey), on: context.threads) {
      [weak context] download in context?.sendToAllLoops(.blocksAvailable(download))
    }
  }

  /// Starts to fetch. The node's loops must run.
  func begin(at now: Instant) {
    // If nothing of the folder is missing, no peer is asked, and the files are only offered.
    if link.folder != nil, let manifest {
      decide(.foundHere(manifest.layout), at: now)
      return perform(at: now)
    }
    // For the contents of a folder it was reported before the listing was fetched.
    if let address = context.address, sharing.isShared, link.folder == nil { onUpdate(.listening(address)) }
    // Named peers are dialled first. The search begins while they answer.
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

  /// When to call `fire`; nil: there is no deadline.
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

  /// Acts on passed deadlines and on the messages of this turn.
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

  // MARK: The state machine

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

  /// Returns whether the hashes of a page are not known yet.
  func isNew(_ page: HashPage) -> Bool { chunkHashes?.has(page.index) != true }

  func learned(_ page: HashPage) {
    chunkHashes?.add(page)
    sharing.share.add(page)
    guard let pages = chunkHashes?.pages else { return }
    for chunk in pages.chunks(of: page.index) { offerHeld(ChunkIndex(UInt32(chunk)), pages.layout) }
  }

  /// Offers leaves that the disk already had to peers, once the hash of their chunk is known.
  private func offerHeld(_ chunk: ChunkIndex, _ layout: ChunkLayout) {
    let mask = heldLeaves.mask(of: chunk) & layout.leaves(of: chunk).mask
    guard mask != 0 else { return }
    sharing.share.add(mask, of: chunk, leafHashes: layout.folder?.knownLeafHashes(of: chunk))
  }
}
