// How a download starts and ends, and what it reports.
import Content
import Wire

extension DownloadState {
  /// Begins the download with the layout of the first manifest.
  mutating func begin(_ layout: ChunkLayout, at now: Instant) {
    phase = .preparing
    timers.cancel(.hopeless)
    chunks = ChunkTable(layout: layout, wanted: settings.wanted, isInOrder: settings.order != .rarestFirst)
    if case .inOrder(let windowChunks) = settings.order {
      window = StreamWindow(chunkCount: windowChunks, of: chunks)
    }
    pages = PageTable(PageLayout(layout, chunksPerPage: settings.chunksPerPage))
    if let folder = layout.folder {
      let table = chunks
      files = settings.wanted.isAll ? FolderCompletion(folder, due: nil) : FolderCompletion(folder) { table.due($0) }
    }
    dismissUnwantedPages()
    tally.stats.totalChunks = chunks.wantedCount
    act(.prepareStorage(layout))
  }

  /// Dismisses the pages of which no chunk is wanted.
  private mutating func dismissUnwantedPages() {
    guard !settings.wanted.isAll else { return }
    for number in 0..<pages.count {
      let page = PageIndex(UInt32(number))
      if pages.chunks(of: page).allSatisfy({ chunks.isUnwanted(ChunkIndex(UInt32($0))) }) { pages.dismiss(page) }
    }
  }

  /// Allows requests for the chunks that files share, whose hashes are known without a page.
  mutating func listSharedChunks() {
    pages.sharedChunksCompared()
    guard let folder = chunks.layout.folder else { return }
    for chunk in folder.sharedChunks { chunks.list(chunk) }
  }

  /// Begins to fetch. Verified data on the disk counts as complete and is not reported.
  mutating func storageReady(_ resumable: Resumable, at now: Instant) {
    guard phase == .preparing else { return }
    for page in resumable.pages where pages.contains(page) && pages.verify(page) {
      for chunk in pages.chunks(of: page) { chunks.list(ChunkIndex(UInt32(chunk))) }
    }
    for page in resumable.heldPages where pages.contains(page) { pages.hold(page) }
    phase = .running
    if resumable.holdsSharedChunks { pages.compareSharedChunks() } else { listSharedChunks() }
    progressWatch.progressed(at: now)
    waiting.progressed(at: now)
    watchProgress(at: now)
    timers.set(.start, at: now + DownloadState.startWait)
    resumed(resumable.leaves, at: now)
  }

  /// Notes verified leaves that are on the disk already.
  mutating func resumed(_ leaves: [(chunk: ChunkIndex, mask: UInt64)], at now: Instant) {
    guard phase == .running else { return }
    var hadByPage: [PageIndex: Int] = [:]
    var completed: [UInt32] = []
    for (chunk, mask) in leaves where chunks.layout.contains(chunk) {
      let before = chunks.verified(of: chunk)
      let (new, isNowHad) = chunks.verify(mask: mask, of: chunk)
      completed += filesCompleted(by: new, of: chunk, before: before)
      if new != 0 {
        progressWatch.progressed(at: now)
        waiting.progressed(at: now)
      }
      guard isNowHad else {
        let needed = new & chunks.due(chunk)
        if needed != 0 { tally.resumed(chunks.layout.length(ofLeaves: needed, in: chunk), of: chunk) }
        continue
      }
      tally.stats.resumedChunks += 1
      rounds.remove(.chunk(chunk))
      if let page = pages.page(of: chunk) { hadByPage[page, default: 0] += 1 }
    }
    for (page, had) in hadByPage {
      let due = pages.chunks(of: page).count { !chunks.isUnwanted(ChunkIndex(UInt32($0))) }
      if had == due { pages.dismiss(page) }
    }
    if !completed.isEmpty { act(.filesCompleted(completed)) }
    if chunks.isComplete { return finish(at: now) }
    settleRounds(at: now)
    if phase != .ended { updateUsability(at: now) }
  }

  /// Returns the files of a folder that newly verified leaves of a chunk complete.
  /// - `before`: the leaves that were verified before, if the chunk was not complete.
  mutating func filesCompleted(by new: UInt64, of chunk: ChunkIndex, before: UInt64) -> [UInt32] {
    files?.verified(new, of: chunk, before: before, due: chunks.due(chunk)) ?? []
  }

  /// Reports the start if every address from the start has an outcome, because no more peers will join soon.
  mutating func startIfResolved(at now: Instant) {
    if phase == .running, !actions.hasStarted, book.isStartResolved { start(at: now) }
  }

  mutating func start(at now: Instant) {
    guard !actions.hasStarted else { return }
    timers.cancel(.start)
    actions.start(with: [
      .started(chunks: chunks.wantedCount, peers: peers.joinCount),
      .usingWorkers(min(settings.maxWorkers, peers.joinCount)),
    ])
  }

  /// Emits a report about a chunk. It waits until `started` is reported.
  mutating func report(_ report: DownloadReport) { actions.report(report) }

  /// Starts the timeout if no peer is usable, and stops it if one is. A peer that only answers BUSY, or has no wanted
  /// leaf, is not usable.
  mutating func updateUsability(at now: Instant) {
    guard book.isFound else { return }
    let isUsable = workers.live.contains { number in
      guard peers[number].refusals.count <= settings.maxRetries, let id = peers[number].connection else { return false }
      return connections.availability(of: id).map { wantsAny(of: $0) } == true
    }
    if isUsable {
      timers.cancel(.noPeers)
      waiting.lacksPeers = false
    } else if timers[.noPeers] == nil, !waiting.lacksPeers {
      timers.set(.noPeers, at: now + settings.chunkTimeout)
    }
  }

  /// Handles the timeout without a usable peer.
  mutating func peersMissed(at now: Instant) {
    guard !hasEveryPeerLied, waits(at: now) else { return endWithoutPeers(at: now) }
    waiting.lacksPeers = true
  }

  mutating func endWithoutPeers(at now: Instant) {
    end(hasEveryPeerLied ? .everyPeerLied(book.reports) : .noPeers(book.reports), at: now)
  }

  /// Whether all peers that had the file are banned. Peers that dialled this node count too: one that is not banned may
  /// come back.
  private var hasEveryPeerLied: Bool {
    peers.joinCount > 0 && peers.remembered.allSatisfy(\.isBanned)
      && tally.stats.pastPeers.banned == tally.stats.pastPeers.count
  }

  /// Ends the download if no address is left that could serve: at once if no inbound peer is connected. Inbound peers
  /// may still open the file, within one timeout for all of them, so that silent strangers do not keep a download
  /// alive.
  mutating func endIfHopeless(at now: Instant) {
    guard !book.hasProspects, isNoAnswerDue else {
      waiting.lacksAddresses = false
      return timers.cancel(.hopeless)
    }
    if !connections.isAnyInbound {
      endHopeless(at: now)
    } else if phase == .seeking, timers[.hopeless] == nil {
      timers.set(.hopeless, at: now + settings.chunkTimeout)
    }
  }

  /// Whether no dialled peer may still open the file. Dials that happen only because the download is patient do not
  /// count.
  private var isNoAnswerDue: Bool {
    waiting.isOn && !book.isFound ? connections.isNoAnswerDue : connections.areAllInbound
  }

  mutating func endHopeless(at now: Instant) {
    if book.isFound {
      if book.isEveryAddressBanned, hasEveryPeerLied { end(.everyPeerLied(book.reports), at: now) }
      return
    }
    guard phase == .seeking else { return }  // a file that is on the disk needs no peer
    let reports = book.reports
    func any(_ matches: (AddressOutcome) -> Bool) -> Bool { reports.contains { matches($0.outcome) } }
    let failure: DownloadFailure =
      if reports.isEmpty {
        .noPeers(reports)
      } else if any({ $0 == .refused(.notAllowed) }) {
        .notAdmitted(reports)  // a peer that answers so may well have the file
      } else if any({ $0 == .refused(.noSuchFile) }) {
        .notFound(reports)
      } else if any({ $0 == .lied }) {
        .everyPeerLied(reports)
      } else if any({ $0 == .dialFailed(.notAdmitted) || $0 == .refused(.tooManyFilesOpen) }) {
        .notAdmitted(reports)
      } else {
        .unreachable(reports)
      }
    if failure.mayPass, waits(at: now) { return waiting.lacksAddresses = true }
    end(failure, at: now)
  }

  mutating func finish(at now: Instant) {
    start(at: now)
    close(at: now)
    act(.finished(tally.stats))
  }

  mutating func end(_ failure: DownloadFailure, at now: Instant) {
    if phase == .running { start(at: now) }
    noteEndOfWait(failure, at: now)
    close(at: now)
    act(.failed(failure, tally.stats))
  }

  private mutating func close(at now: Instant) {
    tally.stats = statistics(at: now)
    phase = .ended
  }

  /// Returns the statistics so far.
  public func statistics(at now: Instant) -> DownloadStats {
    var stats = tally.stats
    if phase != .ended {
      stats.end = now
      stats.peers = peers.remembered.map(\.stats)
      stats.workers = workers.waits(until: now)
    }
    return stats
  }

  /// How many connected peers have the file, or some of it.
  public var livePeerCount: Int { workers.live.count }

  /// Returns the progress of the download.
  public func progress(at now: Instant) -> DownloadProgress {
    DownloadProgress(
      finishedChunks: chunks.haveCount, totalChunks: chunks.wantedCount, bytes: tally.stats.bytes,
      bytesPerSecond: tally.bytesPerSecond(at: now), livePeers: livePeerCount, workers: workers.count,
      retries: tally.stats.retries, hedges: tally.stats.hedges,
      givesUpIn: givesUpIn(at: now), quietFor: phase == .running ? progressWatch.quiet(at: now) : nil,
      zones: tally.stats.zones,
      peers: peers.remembered.map { row(of: $0, at: now) },
      folder: files.map {
        FolderProgress(completeFiles: $0.completeCount, totalFiles: $0.fileCount, totalBytes: chunks.wantedBytes)
      })
  }

  private func givesUpIn(at now: Instant) -> Duration? {
    guard phase != .ended, let end = timers[.noPeers] else { return nil }
    guard let due = waiting.due else { return nil }
    return max(max(end, due) - now, .zero)
  }

  private func row(of peer: Peer, at now: Instant) -> PeerProgress {
    PeerProgress(
      stats: peer.stats, bytesPerSecond: peer.tally.speed.bytesPerSecond(at: now),
      activity: activity(of: peer))
  }

  private func activity(of peer: Peer) -> PeerProgress.Activity {
    if peer.isBanned { return .banned }
    guard let id = peer.connection, let connection = connections[id] else { return .gone }
    // An answer whose bytes are here is still hashed and written.
    if let first = connection.firstInLine.map({ connection.pending[$0] }) ?? connection.pending.last {
      return .sending(first.chunk, requests: connection.pending.count, isHedge: first.isHedge)
    }
    if connection.page != nil { return .sendingHashes }
    return peer.busyUntil != nil ? .busy : .idle
  }
}
