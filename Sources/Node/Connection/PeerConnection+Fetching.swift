// Commands of the download, news for it, and the blocks that pieces come in.
import Posix
import Transfer
import Wire

/// A block whose bytes wait to be hashed, compared and written.
struct VerifyJob: Sendable {
  let connection: ConnectionID
  let piece: FetchedPiece
  let block: Block
  /// The download that the piece is for.
  let link: DownloadLink
}

/// The download that a connection fetches for, and the blocks that it has of it.
struct Fetching {
  /// The brain's name for the connection.
  let id: ConnectionID
  let link: DownloadLink
  /// For the next DATA frame.
  var spareBlock: Block?
  /// Pieces that came in this turn.
  var finishedJobs: [VerifyJob] = []
}

extension PeerConnection {
  // MARK: Commands of the brain

  func open() { command { $0.open() } }
  func fetchPage(_ page: UInt32) { command { $0.fetchPage(page) } }
  func request(_ request: FetchRequest) { command { $0.request(request) } }
  func cancel(_ id: RequestID) { command { $0.cancel(id) } }

  /// The download is over. Closes the connection if the peer has no file open; else it goes on serving.
  func stopFetching() {
    guard fetching != nil else { return }
    switch phase {
    case .connecting, .handshaking: return close()
    case .established(let peer):
      if peer.served.isEmpty { return close(.local(.done, "")) }
      peer.driver.session.stopFetching()
      leaveFetched(by: peer)
    case .finishing, .lingering, .closed: break
    }
    releaseBlocks()
    fetching = nil
    performSession()
    guard !isClosed else { return }
    if marks.isStarving { return goOn() }
    settle()
  }

  /// The download asks the peer for nothing more. If the peer does not have the file open here either, it leaves the swarm.
  private func leaveFetched(by peer: EstablishedPeer) {
    guard let fileID = fetching?.link.fileID, !peer.served.values.contains(where: { $0.fileID == fileID }) else {
      return
    }
    loop.context.swarms.leave(fileID, member, at: loop.now)
  }

  // MARK: News of the session

  /// The download learns what a message of the peer says about it.
  func pass(on news: PeerNews, of peer: EstablishedPeer) {
    guard let id = fetching?.id, let link = fetching?.link else { return }
    if case .opened(let manifest, _) = news { meet(peer, chunkCount: manifest.layout.chunkCount) }
    link.send(.peer(id, news))
  }

  // MARK: Pieces

  /// The last byte of a DATA frame has come.
  func pieceArrived(from peer: EstablishedPeer) {
    peer.driver.payloadEnded()
    performSession()
    // It was cancelled meanwhile, or the session has ended.
    if let block = inbound.arriving.take() { fetching?.link.blocks.giveBack(block) }
  }

  func finish(_ piece: FetchedPiece) {
    guard let id = fetching?.id, let link = fetching?.link, let block = inbound.arriving.take() else { return }
    fetching?.finishedJobs.append(VerifyJob(connection: id, piece: piece, block: block, link: link))
  }

  func handOverFinishedJobs() {
    guard let link = fetching?.link, let jobs = fetching?.finishedJobs, !jobs.isEmpty else { return }
    link.verify(jobs)
    fetching?.finishedJobs = []
  }

  // MARK: Blocks

  /// Takes a spare block, so that the next record can be opened whatever it holds. False: all blocks are in use, and the
  /// connection reads on when some are free.
  func haveBlock(for peer: EstablishedPeer) -> Bool {
    guard let link = fetching?.link, fetching?.spareBlock == nil, peer.driver.session.isFetching else { return true }
    if let block = link.blocks.take() {
      fetching?.spareBlock = block
      return true
    }
    handOverFinishedJobs()
    marks.isStarving = true
    loop.enqueue(starving: self)
    return false
  }

  /// A record can start more than one frame; only the first finds the spare.
  func takeSpareBlock() -> Block? {
    if let block = fetching?.spareBlock.take() { return block }
    return fetching?.link.blocks.takeBeyondLimit()
  }

  /// Gives the spare block back if the last record did not need it: other connections of the download may wait for one.
  func returnSpareBlock() {
    guard !inbound.hasPlaintext, let block = fetching?.spareBlock.take() else { return }
    fetching?.link.blocks.giveBack(block)
  }

  func releaseBlocks() {
    handOverFinishedJobs()
    guard let link = fetching?.link else { return }
    for block in [inbound.arriving.take(), fetching?.spareBlock.take()] {
      if let block { link.blocks.giveBack(block) }
    }
  }
}
