// The fetching side of a connection: commands of downloads, news for them, and the memory blocks for pieces.
import Posix
import Transfer
import Wire

extension PeerConnection {
  // MARK: Commands of the downloads

  /// Opens the content of a download at the other end.
  /// - `id`: the download's name for the connection.
  func open(for link: DownloadLink, as id: ConnectionID) {
    guard let peer else { return }
    // The same download used the connection before, and the peer refused or withdrew the content.
    if let old = fetches.end(link.id) { end(old, at: peer) }
    fetches.closesWhenUnused = nil
    probeIfSilent(peer)
    let handle = peer.driver.session.open(link.fetchTarget)
    fetches.begin(Fetching(id: id, link: link, handle: handle))
    performSession()
    settle()
  }

  func fetchPage(_ page: UInt32, for download: DownloadID) { command(for: download) { $0.fetchPage(page, of: $1) } }
  func request(_ request: FetchRequest, for download: DownloadID) {
    command(for: download) { $0.request(request, of: $1) }
  }
  func cancel(_ id: RequestID, for download: DownloadID) { command(for: download) { $0.cancel(id, of: $1) } }

  private func command(for download: DownloadID, _ change: (inout PeerSession, FileHandle) -> Void) {
    guard let peer, let handle = fetches.fetching(of: download)?.handle else { return }
    change(&peer.driver.session, handle)
    performSession()
    readOnIfOthersAreDue()
  }

  /// Continues to read if the connection waits for a block of one download, and the next answer is now for another one.
  /// That happens when a download cancels requests. If the next answer is for the same download, its waiting time
  /// counts on.
  private func readOnIfOthersAreDue() {
    guard !isClosed else { return }
    let due = peer?.driver.session.nextAnswerHandle.flatMap { fetches.fetching($0)?.link.id }
    if marks.isStarving, fetches.starving?.download != due { return goOn() }
    settle()
  }

  /// Ends the fetching of a download over the connection.
  /// - `code`: the code with which the connection closes once nothing else uses it; nil: it stays open.
  func giveBack(for download: DownloadID, closing code: CloseCode?) {
    guard !isClosed, !isFinishing else { return }
    let content = fetches.end(download)
    fetches.closesWhenUnused = code
    if closeIfUnused() { return }
    guard let peer else { return }
    if let content { end(content, at: peer) }
    performSession()
    readOnIfOthersAreDue()
  }

  /// Closes the connection if that was ordered and nothing uses it any more. Returns true if it closed.
  @discardableResult func closeIfUnused() -> Bool {
    guard let code = fetches.closesWhenUnused, fetches.isEmpty, peer?.served.isEmpty ?? true else { return false }
    close(.local(code, ""))
    return true
  }

  /// Sends a ping if the connection has been silent, since a download wants to use it and the peer may be gone.
  private func probeIfSilent(_ peer: EstablishedPeer) {
    guard fetches.probedAt == nil, loop.now - timers.lastReceivedAt > ProtocolLimits.probePatience else { return }
    fetches.probedAt = loop.now
    peer.driver.ping(at: loop.now)
  }

  /// Ends the connection if that ping was not answered in time. Returns true if it ended.
  func endIfDead() -> Bool {
    guard let probedAt = fetches.probedAt, !marks.isStarving else { return false }
    if timers.lastReceivedAt > probedAt { fetches.probedAt = nil }
    guard fetches.probedAt != nil, loop.now - probedAt >= ProtocolLimits.probePatience else { return false }
    close(.broken(.timedOut("recv", address.description)))
    return true
  }

  /// Closes the content at the other end. If the peer does not have it open here either, it leaves the swarm.
  private func end(_ content: Fetching, at peer: EstablishedPeer) {
    fetches.handOverFinishedJobs()
    if inbound.arrivingFor === content.link { dropArriving() }
    if fetches.spare?.link === content.link { dropSpare() }
    peer.driver.session.close(content.handle)
    let fileID = content.link.fileID
    if !peer.served.values.contains(where: { $0.fileID == fileID }) {
      loop.context.swarms.leave(fileID, token, at: loop.now)
    }
  }

  // MARK: News of the session

  /// Sends a download the news about its content that a message of the peer brought.
  func pass(on news: PeerNews, about handle: FileHandle, of peer: EstablishedPeer) {
    guard let content = fetches.fetching(handle) else { return }
    if case .opened(let manifest, _) = news {
      loop.context.swarms.meet(
        content.link.fileID, chunkCount: manifest.layout.chunkCount, token, source(peer), at: loop.now)
    }
    content.link.send(.peer(content.id, news))
  }

  // MARK: Pieces

  /// Prepares a block for the bytes of a DATA frame, which come next.
  func expectPayload(isWanted: Bool, from peer: EstablishedPeer) {
    dropArriving()
    guard isWanted, let handle = peer.driver.session.arrivingHandle, let link = fetches.fetching(handle)?.link else {
      return
    }
    // A record can start more than one frame. Only the first finds the spare block.
    if let spare = fetches.spare, spare.link === link {
      inbound.arriving = spare.block
      fetches.spare = nil
    } else {
      inbound.arriving = link.blocks.takeBeyondLimit()
    }
    inbound.arrivingFor = link
  }

  /// Handles the end of a DATA frame.
  func pieceArrived(from peer: EstablishedPeer) {
    peer.driver.payloadEnded()
    performSession()
    dropArriving()  // only if the request was cancelled, or the session has ended
  }

  func finish(_ piece: FetchedPiece) {
    guard let content = fetches.fetching(piece.handle), inbound.arrivingFor === content.link,
      let block = inbound.arriving.take()
    else { return }
    inbound.arrivingFor = nil
    fetches.finishedJobs.append(VerifyJob(connection: content.id, piece: piece, block: block, link: content.link))
  }

  // MARK: Blocks

  /// Makes sure that the next record has a spare block, of the download whose answer comes next. Returns false if that
  /// download may not take one: the connection reads on when it may.
  func haveBlock(for peer: EstablishedPeer) -> Bool {
    guard let handle = peer.driver.session.nextAnswerHandle, let link = fetches.fetching(handle)?.link else {
      return true
    }
    if let spare = fetches.spare {
      if spare.link === link { return true }
      dropSpare()
    }
    if let block = link.blocks.take() {
      fetches.spare = (block, link)
      return true
    }
    fetches.handOverFinishedJobs()
    marks.isStarving = true
    fetches.starving = (link.id, loop.now)
    loop.enqueue(starving: self, for: link.id)
    return false
  }

  /// Ends the fetching of a download whose output has taken no data for long, if other downloads wait behind its
  /// answers on this connection. The download connects again later.
  func checkStarving() {
    guard let peer, let (download, since) = fetches.starving, marks.isStarving,
      loop.now - since >= NodeLimits.starvingTime, let content = fetches.fetching(of: download),
      fetches.contents.contains(where: { $0.handle != content.handle && peer.driver.session.isAwaited(by: $0.handle) })
    else { return }
    reportToControl(.yielded(download))
    giveBack(for: download, closing: nil)
  }

  /// Returns the spare block if the last record did not need it, since other connections of the download may wait for
  /// one.
  func returnSpareBlock() { if !inbound.hasPlaintext { dropSpare() } }

  private func dropSpare() {
    guard let spare = fetches.spare.take() else { return }
    spare.link.blocks.giveBack(spare.block)
  }

  private func dropArriving() {
    let link = inbound.arrivingFor.take()
    if let block = inbound.arriving.take() { link?.blocks.giveBack(block) }
  }

  func releaseBlocks() {
    fetches.handOverFinishedJobs()
    dropArriving()
    dropSpare()
  }
}
