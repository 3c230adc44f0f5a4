// How a download starts and ends, and what it reports.
import Content
import Wire

extension DownloadState {
  /// The first manifest: what the file looks like is known.
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

  /// Pages of which no chunk is needed.
  private mutating func dismissUnwantedPages() {
    guard !settings.wanted.isAll else { return }
    for number in 0..<pages.count {
      let page = PageIndex(UInt32(number))
      if pages.chunks(of: page).allSatisfy({ chunks.isUnwanted(ChunkIndex(UInt32($0))) }) { pages.dismiss(page) }
    }
  }

  /// The chunks that files share may be asked for: their hashes are known.
  mutating func listSharedChunks() {
    pages.sharedChunksCompared()
    guard let folder = chunks.layout.folder else { return }
    for chunk in folder.sharedChunks { chunks.list(chunk) }
  }

  /// Verified data on the disk counts as complete and is not reported.
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

  /// Leaves that are on the disk already, verified.
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

  /// The files of a folder that newly verified leaves of a chunk complete.
  /// - `before`: the leaves that were verified before, if the chunk was not complete.
  mutating func filesCompleted(by new: UInt64, of chunk: ChunkIndex, before: UInt64) -> [UInt32] {
    files?.verified(new, of: chunk, before: before, due: chunks.due(chunk)) ?? []
  }

  /// Once every address of the start has an outcome, reports of chunks need not wait for more peers.
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

  /// Reports of chunks come after `started`.
  mutating func report(_ report: DownloadReport) { actions.report(report) }

  /// Without a usable peer the clock runs. Not usable is one that only ever answers BUSY, or has nothing that is wanted.
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

  /// No usable peer was there for one timeout.
  mutating func peersMissed(at now: Instant) {
    guard !hasEveryPeerLied, waits(at: now) else { return endWithoutPeers(at: now) }
    waiting.lacksPeers = true
  }

  mutating func endWithoutPeers(at now: Instant) {
    end(hasEveryPeerLied ? .everyPeerLied(book.reports) : .noPeers(book.reports), at: now)
  }

  /// Whether all peers that had the file are banned. Those that dialled us count too, and may come back if not.
  private var hasEveryPeerLied: Bool {
    peers.joinCount > 0 && peers.remembered.allSatisfy(\.isBanned)
      && tally.stats.pastPeers.banned == tally.stats.pastPeers.count
  }

  /// Ends if no address is left that could ever serve: at once if no peer is connected. Peers that dialled us may still
  /// open the file, within one timeout for all of them: strangers that say nothing do not keep a download from its end.
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

  /// Whether no peer that was dialled may still open the file. Dials that only patience makes do not count.
  private var isNoAnswerDue: Bool {
    waiting.isOn && !book.isFound ? connections.isNoAnswerDue : connections.areAllInbound
  }

  mutating func endHopeless(at now: Instant) {
    if book.isFound {
      if book.isEveryAddressBanned, hasEveryPeerLied { end(.everyPeerLied(book.reports), at: now) }
      return
    }
    guard phase == .seeking else { return }  // a file that is here needs no peer
    let reports = book.reports
    func any(_ matches: (AddressOutcome) -> Bool) -> Bool { reports.contains { matches($0.outcome) } }
    let failure: DownloadFailure =
      if reports.isEmpty {
        .noPeers(reports)
      } else if any({ $0 == .refused(.notAllowed) }) {
        .notAdmitted(reports)  // a peer that says so may well have the file
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

  /// The numbers so far.
  public func statistics(at now: Instant) -> DownloadStats {
    var stats = tally.stats
    if phase != .ended {
      stats.end = now
      stats.peers = peers.remembered.map(\.stats)
      stats.workers = workers.waits(until: now)
    }
    return stats
  }

  /// Connected peers that have the file, or some of it.
  public var livePeerCount: Int { workers.live.count }

  /// The progress of the download.
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
    if let place = connection.firstInLine {
      let first = connection.pending[place]
      return .sending(first.chunk, requests: connection.pending.count, isHedge: first.isHedge)
    }
    return peer.busyUntil != nil ? .busy : .idle
  }
}
