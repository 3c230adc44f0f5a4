// Pages of chunk hashes: fetched ahead of the chunks that need them, one a connection at a time.
import Content
import Wire

extension DownloadState {
  /// Chunks that shall be choosable or about to be: twice what all pipelines can hold, so that none runs dry.
  private var choosableMin: Int {
    max(2 * settings.maxWorkers * settings.requestsInFlightMax, settings.chunksPerPage / 2)
  }

  mutating func fetchPages(at now: Instant) {
    guard chunks.unfinishedCount > 0, pages.isAnyWanted else { return }
    let inOrder = rotation.live
    var expected = chunks.choosableCount + pages.fetchingCount * settings.chunksPerPage
    // The peers in use first, then the others.
    for number in workers.compactMap(\.peer) + inOrder where expected < choosableMin {
      if fetchPage(from: number, at: now) { expected += settings.chunksPerPage }
    }
  }

  /// Asks a peer for the first page that is wanted and of which it has a chunk.
  @discardableResult
  mutating func fetchPage(from number: Int, at now: Instant) -> Bool {
    guard let id = peers[number].connection, !links.hasPage(id), let holdings = links.holdings(of: id),
      peers[number].busyUntil == nil, let page = pages.next(for: holdings)
    else { return false }
    pages.fetch(page, from: id)
    links[id]!.page = page
    timers.set(.page(id), at: now + settings.chunkTimeout)
    act(.fetchPage(page, id))
    return true
  }

  /// What the disk takes from here on is not the peer's delay.
  mutating func pageArrived(_ page: PageIndex, from id: ConnectionID) {
    if links[id]?.page == page { timers.cancel(.page(id)) }
  }

  mutating func pageVerified(_ page: PageIndex, from id: ConnectionID?) {
    if let id, links[id]?.page == page {
      links[id]!.page = nil
      timers.cancel(.page(id))
    }
    guard pages.contains(page), pages.verify(page) else { return }
    for chunk in pages.chunks(of: page) { chunks.list(ChunkIndex(UInt32(chunk))) }
  }

  mutating func pageTimedOut(_ id: ConnectionID, at now: Instant) {
    guard let number = links[id]?.peer, links[id]?.page != nil else { return }
    failed(number, .timeout, at: now)
    // Long enough for another peer to be asked first.
    rest(number, until: now + RetryQueue.firstDelay)
    pageFailed(id, at: now)
  }

  /// The page that a connection owed is wanted again; too often, and the download has failed.
  mutating func pageFailed(_ id: ConnectionID, at now: Instant) {
    guard let page = links[id]?.page else { return }
    links[id]!.page = nil
    timers.cancel(.page(id))
    if pages.drop(page, isFailure: true) > settings.maxRetries { end(.pageOutOfRetries(page), at: now) }
  }
}
