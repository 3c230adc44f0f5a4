// One end of a connection under test: a session that serves and fetches small files, used as the node uses it.
import Content

@testable import Transfer
@testable import Wire

/// `SessionDriver` prescribes the order of calls. `ContentUnderTest` performs the duties of the downloads.
struct SessionUnderTest {
  static let handshakeHash = Digest(sha256: [1, 2, 3].span.bytes)

  private(set) var driver: SessionDriver
  let role: ChannelRole
  /// Whether it has only parts of its files.
  let isPartial: Bool
  /// Messages for the other end in order, each with its leaves.
  private(set) var outbox: [(message: Message, leaves: [UInt8])] = []
  private var outboxByteCount = 0
  /// OPENs that wait for an answer.
  var lookUps: [Open] = []
  /// Files that it has opened or asked to open at the other end, by handle.
  private(set) var contents: [FileHandle: ContentUnderTest] = [:]
  /// The number of files that it has opened.
  private var openCount = 0
  private let requestsMax: Int
  private var lastWireRequest: RequestID?
  private(set) var closed: SessionEnd?
  /// Whether the leaves in transit are wanted. Nil if none are.
  private var isPayloadWanted: Bool?
  private var payload: [UInt8] = []
  /// The time. Only steps of the input advance it.
  private var now = Instant.zero
  /// When the last message arrived.
  private var heardAt = Instant.zero

  init(_ role: ChannelRole, isPartial: Bool, requestsMax: Int = 64) {
    self.role = role
    self.isPartial = isPartial
    self.requestsMax = requestsMax
    driver = SessionDriver(
      handshakeHash: SessionUnderTest.handshakeHash, role: role, requestsMax: requestsMax)
  }

  var isOver: Bool { closed != nil || driver.session.isEnded }

  // MARK: Incoming messages

  /// Receives a message of the other end. If it is DATA, `leaves` are the bytes of all its leaves.
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

  /// The last byte of DATA has arrived. Commands may come before that.
  mutating func endPayload() {
    guard isPayloadWanted != nil, !isOver else { return }
    driver.payloadEnded()
    isPayloadWanted = nil
    perform()
    for handle in contents.keys { contents[handle]!.payloadEnded() }
  }

  // MARK: Commands

  mutating func command(_ change: (inout PeerSession) -> Void) {
    guard !isOver else { return }
    change(&driver.session)
    perform()
  }

  /// Opens the files in turn, repeatedly.
  mutating func open() {
    guard !isOver else { return }
    let number = openCount % SessionFile.all.count
    openCount += 1
    let handle = driver.session.open(SessionFile.all[number].target)
    require(contents[handle] == nil, "a handle is not used again")
    contents[handle] = ContentUnderTest(number)
    perform()
  }

  /// Returns one of the contents. Any number selects one.
  private func content(_ choice: Int) -> FileHandle? {
    let handles = contents.keys.sorted { $0.rawValue < $1.rawValue }
    return handles.isEmpty ? nil : handles[choice % handles.count]
  }

  mutating func fetchPage(_ page: UInt32, of choice: Int) {
    guard !isOver, let handle = content(choice), let page = contents[handle]!.page(page) else { return }
    command { $0.fetchPage(page, of: handle) }
  }

  mutating func request(_ chunk: Int, of choice: Int, first: Int, count: Int, knowsHashes: Bool) {
    guard !isOver, let handle = content(choice),
      let request = contents[handle]!.request(chunk, first: first, count: count, knowsHashes: knowsHashes)
    else { return }
    command { $0.request(request, of: handle) }
  }

  mutating func cancel(_ id: RequestID, of choice: Int) {
    guard !isOver, let handle = content(choice),
      contents[handle]!.cancel(id, isPayloadDue: isPayloadWanted == true)
    else { return }
    command { $0.cancel(id, of: handle) }
  }

  /// The download gives a content up. It receives no more news of it.
  mutating func giveUp(_ choice: Int) {
    guard !isOver, let handle = content(choice) else { return }
    contents[handle] = nil
    command { $0.close(handle) }
    require(!driver.session.isFetching(handle), "what was given up is not fetched")
  }

  /// Answers the oldest waiting OPEN.
  mutating func answerOpen(_ answer: (SessionFile?) -> OpenAnswer) {
    guard !isOver, !lookUps.isEmpty else { return }
    let open = lookUps.removeFirst()
    let meant = SessionFile.all.first { driver.session.isMeant($0.key, by: open) }
    driver.answer(open, answer(meant), at: now)
    perform()
  }

  private func holds(_ request: ChunkRequest) -> Bool {
    guard isPartial, let file = file(servedAs: request.handle) else { return true }
    return request.leaves.mask & ~file.part(of: request.chunk) == 0
  }

  /// Returns the file that the other end has opened here.
  private func file(servedAs handle: FileHandle) -> SessionFile? {
    driver.session.served[handle].flatMap { open in SessionFile.all.first { $0.file.tree.root == open.root } }
  }

  /// Lets time pass. Answers to OPENs without a match may be due, and a PING.
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

  /// Takes the oldest waiting message.
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

  /// The next page or piece cannot be read now, so it stays the next one.
  mutating func putBackUpload() {
    let byteCount = driver.session.nextUploadByteCount
    guard !isOver, let next = driver.nextUpload() else { return }
    driver.putBack(next)
    require(driver.session.nextUploadByteCount == byteCount, "what was put back is as long as before")
    require(driver.nextUpload() == next, "what was put back is the next one")
    driver.putBack(next)
  }

  /// Sends the waiting hints, then the next page or piece.
  mutating func upload() {
    sendHints()
    guard !isOver else { return }
    let next = driver.nextUpload()
    guard let next else { return settle() }
    guard let file = file(servedAs: next.handle)?.file else { return require(false, "only open files are sent") }
    switch next {
    case .page(let handle, let index):
      guard let page = file.tree.page(index) else { return require(false, "only pages of the file are sent") }
      send(.page(PageAnswer(page, of: handle)))
    case .piece(let piece):
      require(file.layout.contains(piece.chunk), "only chunks of the file are sent")
      require(piece.leaves.end <= file.layout.leafCount(of: piece.chunk), "only leaves of the file are sent")
      let start = Int(file.layout.offset(ofLeaf: piece.leaves.first, in: piece.chunk))
      let bytes = Array(file.bytes[start..<start + file.layout.length(of: piece.leaves, in: piece.chunk)])
      let hashes = piece.includesLeafHashes ? file.leafHashes[Int(piece.chunk.rawValue)] : []
      send(.data(piece.header(leafHashes: hashes, byteCount: bytes.count)), bytes)
      let isSettled = driver.sent(piece, byteCount: bytes.count, at: now)
      require(isSettled == !driver.session.awaits(piece.chunk, of: piece.handle), "a chunk is settled when it is sent")
    }
    settle()
  }

  // MARK: Actions

  private mutating func perform() {
    while closed == nil, let action = driver.nextAction() {
      switch action {
      case .send(let message):
        if case .request(let request) = message { note(request) }
        send(message)
        driver.queued(message, outboxByteCount: outboxByteCount)
      case .tell(let news, let handle):
        guard contents[handle] != nil else {
          require(false, "nothing is heard of what was given up")
          continue
        }
        if !contents[handle]!.hear(news) { contents[handle] = nil }
      case .lookUp(let open): lookUps.append(open)
      case .admit(let request):
        driver.admit(request, holds(request) ? .yes : .notHere)
      case .promise(let handle, let chunk):
        require(file(servedAs: handle)?.file.layout.contains(chunk) == true, "only chunks of the file are promised")
      case .settle(let handle, let chunk):
        require(!driver.session.awaits(chunk, of: handle), "a chunk is settled when nothing of it waits")
      case .closed(let handle):
        require(driver.session.served[handle] == nil, "a handle that was given back is not open")
      case .expectPayload(let isWanted): isPayloadWanted = isWanted
      case .verify(let piece):
        require(contents[piece.handle] != nil, "nothing is verified of what was given up")
        contents[piece.handle]?.verify(piece, payload)
      case .close(let end): closed = end
      }
    }
    if closed != nil { require(driver.session.isEnded, "a session that closes has ended") }
    settle()
  }

  /// Ends the handling of an event.
  private mutating func settle() {
    driver.note(isWaiting: driver.session.hasUploads || !outbox.isEmpty, at: now)
    let isBlamed = if case .remote(.badData, _)? = closed { true } else { false }
    require(isBlamed || driver.chunksToRecheck.isEmpty, "only a peer that says so has chunks checked")
  }

  /// Checks a REQUEST that is sent.
  private mutating func note(_ request: ChunkRequest) {
    require(lastWireRequest.map { $0 < request.id } ?? true, "ids on the wire increase")
    lastWireRequest = request.id
    require(driver.session.fetches.inFlightCount <= requestsMax, "no more is in flight than the other end accepts")
    require(contents[request.handle] != nil, "only what is open is asked for")
  }
}
