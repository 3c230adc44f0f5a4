// Commands of the download and blocks for what comes back: performs what the session decides about both.
import Posix
import Transfer
import Wire

/// A block to be hashed, compared and written.
struct VerifyJob: Sendable {
  let connection: ConnectionID
  let piece: FetchedPiece
  let block: Block
}

extension PeerConnection {
  // MARK: Commands of the brain

  func open() { command { $0.open() } }
  func fetchPage(_ page: UInt32) { command { $0.fetchPage(page) } }
  func request(_ request: FetchRequest) { command { $0.request(request) } }
  func cancel(_ id: RequestID) { command { $0.cancel(id) } }

  /// The download is over. Who has nothing open here is told so; who has goes on.
  func stopFetching() {
    guard link != nil else { return }
    if isEstablished, served.isEmpty { return close(.here(.done, "")) }
    guard isEstablished else { return close() }
    driver?.session.stopFetching()
    releaseBlocks()
    (id, link) = (nil, nil)
    performSession()
    guard !isClosed else { return }
    if isStarving { return goOn() }
    settle()
  }

  // MARK: News of the session

  func tell(_ news: PeerNews) {
    guard let link, let id else { return }
    if case .opened(let manifest, _) = news { meet(chunkCount: manifest.layout.chunkCount) }
    link.tell(.peer(id, news))
  }

  // MARK: Pieces

  /// The last byte of a DATA frame is here.
  func pieceArrived() {
    driver!.payloadEnded()
    performSession()
    if let block = arriving.take() { link?.blocks.giveBack(block) }  // cancelled meanwhile, or the session has ended
  }

  func finish(_ piece: FetchedPiece) {
    guard let id, let block = arriving.take() else { return }
    finishedJobs.append(VerifyJob(connection: id, piece: piece, block: block))
  }

  func handOverFinishedJobs() {
    guard let link, !finishedJobs.isEmpty else { return }
    link.verify(finishedJobs)
    finishedJobs = []
  }

  // MARK: Blocks

  /// Sees to it that a record can be opened whatever it holds: a spare block is at hand. False: all are in use, and the
  /// connection reads on when some are free.
  func haveBlock() -> Bool {
    guard let link, driver?.session.isFetching == true, spareBlock == nil else { return true }
    if let block = link.blocks.take() {
      spareBlock = block
      return true
    }
    handOverFinishedJobs()
    isStarving = true
    loop.enqueue(starving: self)
    return false
  }

  /// A record can start more than one frame; only the first finds the spare.
  func takeSpareBlock() -> Block {
    defer { spareBlock = nil }
    return spareBlock ?? link!.blocks.takeBeyondLimit()
  }

  func releaseBlocks() {
    handOverFinishedJobs()
    for block in [arriving, spareBlock] { if let block { link?.blocks.giveBack(block) } }
    (arriving, spareBlock) = (nil, nil)
  }
}

extension ConnectionEnd {
  init(_ end: SessionEnd) {
    switch end {
    case .there(let code, let text): self = .there(code, text)
    case .violation(let what): self = .violation(what)
    case .lied(let what): self = .lied(what)
    }
  }
}
