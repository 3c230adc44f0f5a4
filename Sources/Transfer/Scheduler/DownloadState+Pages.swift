// Pages of chunk hashes: fetched ahead of the chunks that need them, one page at a time on each connection.
import Content
import Wire

extension DownloadState {
  /// How many chunks to keep choosable or soon choosable: twice as many as all pipelines hold, so that none runs dry.
  private var choosableMin: Int {
    max(2 * settings.maxWorkers * settings.requestsInFlightMax, settings.chunksPerPage / 2)
  }

  mutating func fetchPages(at now: Instant) {
    guard chunks.unfinishedCount > 0, pages.isAnyWanted else { return }
    var expected = chunks.choosableCount + pages.fetchingCount * settings.chunksPerPage
    guard expected < choosableMin else { return }
    // The peers that workers drive come first, then the others; all strangers come last.
    let candidates = workers.drivenPeers + workers.live
    for isStranger in [false, true] {
      for number in candidates where peers[number].isStranger == isStranger && expected < choosableMin {
        if fetchPage(from: number, at: now) { expected += settings.chunksPerPage }
      }
    }
  }

  /// Asks a peer for the first wanted page that covers a chunk of the peer, unless a better peer should be asked for
  /// it. False if there is no such page.
  @discardableResult
  mutating func fetchPage(from number: Int, at now: Instant) -> Bool {
    guard let id = peers[number].connection, !connections.hasPage(id),
      let availability = connections.availability(of: id),
      peers[number].busyUntil == nil, !isPaced(number),
      let page = pages.next(for: availability, where: { isTurn(of: number, for: .page($0), at: now) })
    else { return false }
    ask(number, id, for: page, at: now)
    return true
  }

  private mutating func ask(_ number: Int, _ id: ConnectionID, for page: PageIndex, at now: Instant) {
    pages.fetch(page, from: id)
    connections[existing: id].ask(page, at: now)
    timers.set(.page(id), at: now + settings.chunkTimeout)
    watchSilence(of: id, at: now)
    act(.fetchPage(page, id))
  }

  /// Notes that a page arrived. Its chunks are compared with the disk now, and no other peer is asked for it.
  mutating func pageArrived(_ page: PageIndex, from id: ConnectionID) {
    guard connections.page(of: id) == page else { return }
    clearAskers(of: page)
    pages.arrive(page)
  }

  /// Clears the page on every connection that was asked for it: the answer of a second one is useless now.
  private mutating func clearAskers(of page: PageIndex) {
    while let asked = connections.first(where: { $0.page == page }) { clearPage(of: asked) }
  }

  mutating func pageVerified(_ page: PageIndex, from id: ConnectionID?) {
    guard pages.contains(page), pages.verify(page) else { return }
    clearAskers(of: page)
    rounds.remove(.page(page))
    for chunk in pages.chunks(of: page) { chunks.list(ChunkIndex(UInt32(chunk))) }
  }

  private mutating func clearPage(of id: ConnectionID) {
    connections[existing: id].clearPage()
    timers.cancel(.page(id))
  }

  /// Notes that another answer came on the connection, so the peer is alive.
  mutating func heard(on id: ConnectionID, at now: Instant) {
    if connections.hasPage(id) { connections[existing: id].pageHeardAt = now }
  }

  mutating func pageTimedOut(_ id: ConnectionID, at now: Instant) {
    guard let connection = connections[id], let number = connection.peer, connection.page != nil else { return }
    if let heard = connection.pageHeardAt, heard + settings.chunkTimeout > now {
      return timers.set(.page(id), at: heard + settings.chunkTimeout)
    }
    peers[number].isSilent = true
    failed(number, .timeout, at: now)
    // Long enough to ask another peer first.
    rest(number, until: now + RetryQueue.firstDelay)
    pageFailed(id, .timeout, at: now)
  }

  /// Handles a page that a connection failed to bring.
  mutating func pageFailed(
    _ id: ConnectionID, _ reason: RetryReason, _ how: FailureHistory.Failing = .failed, at now: Instant
  ) {
    guard let page = connections.page(of: id), let number = connections.peer(of: id) else { return }
    clearPage(of: id)
    pages.drop(page, from: id)
    if pages.isVerified(page) { return }
    // A peer that had nothing to give can be asked for the page now.
    chunks.reconsider()
    attemptFailed(.page(page), by: number, reason, how, at: now)
  }

  /// Handles a late page. An unproven peer loses the page if another peer can give it. A proven peer keeps it, and a
  /// second peer is asked as well. If two peers are asked already, a proven one loses it too.
  mutating func takePageBack(_ id: ConnectionID, _ number: Int, at now: Instant) {
    guard let page = connections.page(of: id), isPageLate(id, number, page, at: now) else { return }
    let isAlone = pages.askerCount(of: page) == 1
    if !peers[number].isProven || !isAlone, isAnotherLeft(than: number, for: .page(page), at: now) {
      failed(number, .timeout, at: now)
      return pageFailed(id, .timeout, .wasSilent, at: now)
    }
    guard settings.hedges, isAlone, let second = secondPeer(for: page, besides: number, at: now),
      let other = peers[second].connection
    else { return }
    ask(second, other, for: page, at: now)
  }

  private func secondPeer(for page: PageIndex, besides number: Int, at now: Instant) -> Int? {
    workers.live.filter { other in
      guard other != number, let id = peers[other].connection, !connections.hasPage(id), peers[other].busyUntil == nil
      else {
        return false
      }
      return !isPaced(other) && !hasFailed(other, .page(page)) && holds(other, .page(page))
    }.min { (trust(in: $0), $0) < (trust(in: $1), $1) }
  }
}
