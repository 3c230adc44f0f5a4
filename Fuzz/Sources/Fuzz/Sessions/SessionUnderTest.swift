// One end of a connection under test: a session that serves and fetches small files, driven as the node drives it.
import Content

@testable import Transfer
@testable import Wire

/// `SessionDriver` gives the order of the calls. The rest is the duty of the download: a file is opened once;
/// requests are made while it is open, with ids that grow, of leaves that the file has, with the chunk hash of a verified
/// page.
struct SessionUnderTest {
  static let file = TinyFile(length: 70, chunksPerPage: 4)
  static let fileID = FileID(kind: .file, length: file.layout.fileLength, root: file.tree.root)
  static let key = FileKey(fileID, swarm: nil)
  static let handshakeHash = Digest(sha256: [1, 2, 3].span.bytes)

  private(set) var driver: SessionDriver
  let role: ChannelRole
  /// Leaves that it serves, by chunk; nil: all.
  let held: [UInt64]?
  /// Messages for the other end, in order, each with its leaves.
  private(set) var outbox: [(message: Message, leaves: [UInt8])] = []
  private var outboxByteCount = 0
  /// OPENs that wait for an answer.
  var lookUps: [Open] = []
  /// The file is open at the other end.
  private(set) var isOpen = false
  private var hasAskedToOpen = false
  /// Requests that are neither answered to their end, nor refused, nor cancelled.
  private(set) var asked: [RequestID: (chunk: ChunkIndex, leaves: LeafRange)] = [:]
  private var lastRequest: UInt32 = 0
  /// Leaves that came and hash, by chunk.
  private(set) var verified = [UInt64](repeating: 0, count: file.layout.chunkCount)
  private(set) var pages: Set<PageIndex> = []
  private(set) var closed: SessionEnd?
  /// Of the DATA whose leaves are on their way.
  private var isPayloadWanted: Bool?
  private var payload: [UInt8] = []
  /// Requests that were cancelled while leaves came, of which one may be the request that they answer.
  private var cancelled: [RequestID: (chunk: ChunkIndex, leaves: LeafRange)] = [:]
  /// The steps of the input alone move it.
  private var now = Instant.zero
  /// When the last message came.
  private var heardAt = Instant.zero

  init(_ role: ChannelRole, held: [UInt64]?) {
    self.role = role
    self.held = held
    driver = SessionDriver(
      handshakeHash: SessionUnderTest.handshakeHash, role: role,
      target: FetchTarget(
        fileID: SessionUnderTest.fileID, key: SessionUnderTest.key, chunkSize: 4, leafSize: 1,
        chunksPerPage: SessionUnderTest.file.tree.pages.chunksPerPage))
  }

  var isOver: Bool { closed != nil || driver.session.isEnded }

  // MARK: Incoming messages

  /// A message of the other end and, where it is DATA, all of its leaves.
  mutating func receive(_ message: Message, leaves: [UInt8] = []) {
    guard !isOver else { return }
    endPayload()
    guard !isOver else { return }
    heardAt = now
    driver.receive(message, at: now)
    perform()
    if case .data = message, !isOver {
      require(isPayloadWanted != nil, "after DATA its leaves are expected")
      payload = leaves
    }
  }

  /// The last leaf of DATA is here. Commands may come before.
  mutating func endPayload() {
    guard isPayloadWanted != nil, !isOver else { return }
    driver.payloadEnded()
    isPayloadWanted = nil
    perform()
    cancelled = [:]
  }

  // MARK: Commands

  mutating func command(_ change: (inout PeerSession) -> Void) {
    guard !isOver else { return }
    change(&driver.session)
    perform()
  }

  mutating func open() {
    if !hasAskedToOpen { command { $0.open() } }
    hasAskedToOpen = true
  }

  mutating func fetchPage(_ page: UInt32) {
    if isOpen { command { $0.fetchPage(page % UInt32(SessionUnderTest.file.tree.pages.pageCount)) } }
  }

  mutating func request(_ chunk: Int, first: Int, count: Int, knowsHashes: Bool) {
    let file = SessionUnderTest.file
    let index = chunk % file.layout.chunkCount
    let chunk = ChunkIndex(UInt32(index))
    let first = first % file.layout.leafCount(of: chunk)
    let leaves = LeafRange(first: first, count: min(count, file.layout.leafCount(of: chunk) - first))
    guard isOpen, !isOver, asked.count < 64 else { return }
    lastRequest += 1
    let id = RequestID(lastRequest)
    asked[id] = (chunk, leaves)
    command {
      $0.request(
        FetchRequest(
          id: id, chunk: chunk, leaves: leaves, chunkHash: file.tree.chunkHashes[index],
          leafHashes: knowsHashes ? file.leafHashes[index] : nil))
    }
  }

  mutating func cancel(_ id: RequestID) {
    guard let request = asked.removeValue(forKey: id) else { return }
    // Leaves that are on their way are still verified.
    if isPayloadWanted == true { cancelled[id] = request }
    command { $0.cancel(id) }
  }

  mutating func stopFetching() {
    asked = [:]
    command { $0.stopFetching() }
  }

  /// Answers the OPEN that waits longest.
  mutating func answerOpen(_ answer: (Bool) -> OpenAnswer) {
    guard !isOver, !lookUps.isEmpty else { return }
    let open = lookUps.removeFirst()
    let isMeant = driver.session.isMeant(SessionUnderTest.key, by: open)
    let answer = answer(isMeant)
    driver.answer(open, answer, at: now)
    perform()
  }

  static func served(_ held: [UInt64]?) -> ServedFile {
    let parts = held.map { held in
      var bits = [UInt8](repeating: 0, count: (file.layout.chunkCount + 7) / 8)
      var runs: [LeafRun] = []
      for (i, mask) in held.enumerated() {
        let chunk = ChunkIndex(UInt32(i))
        if mask == file.layout.leaves(of: chunk).mask { bits[i / 8] |= 0x80 >> UInt8(i % 8) }
        for leaf in 0..<4 where mask & 1 << UInt64(leaf) != 0 {
          runs.append(LeafRun(chunk: chunk, leaves: LeafRange(first: leaf, count: 1)))
        }
      }
      return HeldParts(wholeChunks: bits, runs: runs)
    }
    return ServedFile(key: key, pages: file.tree.pages, root: file.tree.root, name: "a", parts: parts)
  }

  private func holds(_ request: ChunkRequest) -> Bool {
    guard let held else { return true }
    let index = Int(request.chunk.rawValue)
    return index < held.count && request.leaves.mask & ~held[index] == 0
  }

  /// Time passes: the answers to OPENs that missed may be due, and a PING.
  mutating func wait(_ duration: Duration) {
    now = now + duration
    let isSilent = now - heardAt >= ProtocolLimits.pingAfter
    guard !isOver, driver.fire(at: now) || isSilent && driver.ping(at: now) else { return }
    perform()
    require(driver.session.deadline.map { $0 > now } ?? true, "what is due is done")
    require(!driver.fire(at: now), "what is due is done once")
  }

  /// Sends the hints for which there is room.
  mutating func sendHints() {
    while !isOver, let hint = driver.nextHint(outboxByteCount: outboxByteCount) { send(hint) }
  }

  /// The connection ends for another reason.
  mutating func end() {
    driver.end()
    perform()
  }

  // MARK: The outbox

  private mutating func send(_ message: Message, _ leaves: [UInt8] = []) {
    outbox.append((message, leaves))
    outboxByteCount += SessionUnderTest.byteCount(message, leaves)
  }

  /// The message that waits longest leaves.
  mutating func takeMessage() -> (message: Message, leaves: [UInt8])? {
    if outbox.isEmpty { return nil }
    let next = outbox.removeFirst()
    let byteCount = SessionUnderTest.byteCount(next.message, next.leaves)
    outboxByteCount -= byteCount
    driver.left(byteCount)
    return next
  }

  private static func byteCount(_ message: Message, _ leaves: [UInt8]) -> Int {
    var frame: [UInt8] = []
    message.encode(into: &frame)
    return frame.count + leaves.count
  }

  /// The next page or piece cannot be read now: it is the next one again.
  mutating func putBackUpload() {
    let byteCount = driver.session.nextUploadByteCount
    guard !isOver, let next = driver.nextUpload() else { return }
    driver.putBack(next)
    require(driver.session.nextUploadByteCount == byteCount, "what was put back is as long as before")
    require(driver.nextUpload() == next, "what was put back is the next one")
    driver.putBack(next)
  }

  /// Sends the hints that wait, then the next page or piece.
  mutating func upload() {
    sendHints()
    guard !isOver else { return }
    let file = SessionUnderTest.file
    switch driver.nextUpload() {
    case .page(let handle, let index)?:
      guard let page = file.tree.page(index) else { return require(false, "only pages of the file are sent") }
      send(.page(PageAnswer(page, of: handle)))
    case .piece(let piece)?:
      require(file.layout.contains(piece.chunk), "only chunks of the file are sent")
      require(piece.leaves.end <= file.layout.leafCount(of: piece.chunk), "only leaves of the file are sent")
      let start = Int(file.layout.offset(ofLeaf: piece.leaves.first, in: piece.chunk))
      let bytes = Array(file.bytes[start..<start + file.layout.length(of: piece.leaves, in: piece.chunk)])
      let hashes = piece.includesLeafHashes ? file.leafHashes[Int(piece.chunk.rawValue)] : []
      send(.data(piece.header(leafHashes: hashes, byteCount: bytes.count)), bytes)
      let isSettled = driver.sent(piece, byteCount: bytes.count, at: now)
      require(isSettled == !driver.session.awaits(piece.chunk, of: piece.handle), "a chunk is settled when it is sent")
    case nil: break
    }
    settle()
  }

  // MARK: Actions

  private mutating func perform() {
    while closed == nil, let action = driver.nextAction() {
      switch action {
      case .send(let message):
        send(message)
        driver.queued(message, outboxByteCount: outboxByteCount)
      case .tell(let news): hear(news)
      case .lookUp(let open): lookUps.append(open)
      case .admit(let request):
        driver.admit(request, holds(request) ? .yes : .notHere)
      case .promise(_, let chunk):
        require(SessionUnderTest.file.layout.contains(chunk), "only chunks of the file are promised")
      case .settle(let handle, let chunk):
        require(!driver.session.awaits(chunk, of: handle), "a chunk is settled when nothing of it waits")
      case .closed(let handle):
        require(driver.session.served[handle] == nil, "a handle that was given back is not open")
      case .expectPayload(let isWanted): isPayloadWanted = isWanted
      case .verify(let piece): verify(piece)
      case .close(let end): closed = end
      }
    }
    if closed != nil { require(driver.session.isEnded, "a session that closes has ended") }
    settle()
  }

  /// The event is over.
  private mutating func settle() {
    driver.note(isWaiting: driver.session.hasUploads || !outbox.isEmpty, at: now)
    let isBlamed = if case .remote(.badData, _)? = closed { true } else { false }
    require(isBlamed || driver.chunksToRecheck.isEmpty, "only a peer that says so has chunks checked")
  }

  private mutating func hear(_ news: PeerNews) {
    switch news {
    case .opened(let manifest, _):
      require(manifest.fileID == SessionUnderTest.fileID, "only the file that was asked for is opened")
      isOpen = true
    case .page(let page):
      require(page == SessionUnderTest.file.tree.page(page.index), "only the file's own pages are believed")
      pages.insert(page.index)
    case .busy(let id, _): require(asked.removeValue(forKey: id) != nil, "only what was asked is refused")
    case .withdrawn: (isOpen, asked) = (false, [:])
    default: break
    }
  }

  private mutating func verify(_ piece: FetchedPiece) {
    let file = SessionUnderTest.file
    guard let request = asked[piece.request] ?? cancelled[piece.request] else {
      return require(false, "only what was asked for is verified")
    }
    require(request.chunk == piece.chunk && piece.leaves.mask & ~request.leaves.mask == 0, "a piece is of its request")
    let due = file.leafHashes[Int(piece.chunk.rawValue)][piece.leaves.first..<piece.leaves.end]
    require(piece.leafHashes == Array(due), "leaves are held against their own hashes")
    require(
      piece.fileOffset == file.layout.offset(ofLeaf: piece.leaves.first, in: piece.chunk), "a piece has its place")
    if piece.isLastOfAnswer { asked[piece.request] = nil }
    let start = Int(piece.fileOffset)
    let isTrue = payload.elementsEqual(file.bytes[start..<start + piece.byteCount])
    require(piece.isMatched(by: payload.span.bytes, leafSize: 1) == isTrue, "only the file's own bytes match")
    if isTrue { verified[Int(piece.chunk.rawValue)] |= piece.leaves.mask }
  }
}
