// The meaning of a peer's messages: two sessions that talk to each other, and one that receives false messages.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct PeerSessionTests {
  private let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0) }
  private let layout = ChunkLayout(fileLength: 300, chunkSize: 128, leafSize: 16)!
  private let tree: HashTree
  private let leaves: [[Digest]]
  private let key: FileKey
  private let target: FetchTarget
  private let hash = Digest(Array(repeating: 7, count: 32))!

  init() {
    var leaves: [[Digest]] = []
    for start in stride(from: 0, to: 300, by: 128) {
      let chunk = Array(bytes[start..<min(start + 128, 300)])
      leaves.append(MerkleTree.leafHashes(chunk.span.bytes, leafSize: 16))
    }
    self.leaves = leaves
    let layout = self.layout
    tree = HashTree(layout, chunkHashes: leaves.map { MerkleTree.chunkHash($0, in: layout) }, chunksPerPage: 2)!
    let fileID = FileID(kind: .file, length: 300, root: tree.root)
    key = FileKey(fileID, swarm: nil)
    target = FetchTarget(fileID: fileID, key: key, chunkSize: 128, leafSize: 16, chunksPerPage: 2)
  }

  private var served: ServedFile { ServedFile(key: key, pages: tree.pages, root: tree.root, name: "file") }

  private func drain(_ session: inout PeerSession) -> [PeerSessionAction] {
    var actions: [PeerSessionAction] = []
    while let action = session.nextAction() { actions.append(action) }
    return actions
  }

  private func expect(
    _ actions: [PeerSessionAction], _ expected: [PeerSessionAction], at location: SourceLocation = #_sourceLocation
  ) {
    #expect(actions == expected, sourceLocation: location)
  }

  private func said(by session: inout PeerSession) -> Message? {
    for case .send(let message) in drain(&session) { return message }
    return nil
  }

  /// Returns a session that has opened the file, and the session that serves it.
  private func opened() throws -> (fetching: PeerSession, serving: PeerSession) {
    var fetching = PeerSession(handshakeHash: hash, role: .dialer)
    var serving = PeerSession(handshakeHash: hash, role: .listener)
    let handle = fetching.open(target)
    #expect(handle == FileHandle(1))
    let request = said(by: &fetching)
    serving.handle(try #require(request), at: .zero)
    let lookUp = drain(&serving).first
    let open = try #require(lookUp.flatMap { if case .lookUp(let open) = $0 { open } else { nil } }, "no look-up")
    #expect(serving.isMeant(key, by: open))
    let isOpen = serving.answer(open, .file(served), at: .zero)
    #expect(isOpen)
    let answer = said(by: &serving)
    fetching.handle(try #require(answer), at: .zero)
    let opened = drain(&fetching).first
    let manifest = try #require(
      opened.flatMap {
        if case .tell(.opened(let manifest, isComplete: true), of: FileHandle(1)) = $0 { manifest } else { nil }
      },
      "it is not opened")
    #expect(manifest.layout == layout)
    return (fetching, serving)
  }

  @Test func `a chunk is opened, requested, sent and verified`() throws {
    var (fetching, serving) = try opened()
    fetching.request(
      FetchRequest(
        id: RequestID(1), chunk: ChunkIndex(2), leaves: layout.leaves(of: ChunkIndex(2)),
        chunkHash: tree.chunkHashes[2]), of: FileHandle(1))
    let request = said(by: &fetching)
    serving.handle(try #require(request), at: .zero)
    guard case .admit(let asked)? = serving.nextAction() else {
      Issue.record("a request is not decided on")
      return
    }
    serving.admit(asked, isHeld: true)
    guard case .piece(let piece)? = serving.nextUpload() else {
      Issue.record("nothing is sent")
      return
    }
    fetching.handle(.data(piece.header(leafHashes: leaves[2], byteCount: 44)), at: .zero)
    expect(drain(&fetching), [.expectPayload(isWanted: true), .tell(.answerBegan(RequestID(1)), of: FileHandle(1))])
    fetching.payloadEnded()
    let actions = drain(&fetching)
    guard case .verify(let verified)? = actions.first else {
      Issue.record("nothing is verified: \(actions)")
      return
    }
    #expect(actions.last == .tell(.answerEnded(RequestID(1)), of: FileHandle(1)))
    let matches = [256..<300, 255..<299, 256..<299].map { range in
      let part = Array(bytes[range])
      return verified.isMatched(by: part.span.bytes)
    }
    #expect(matches == [true, false, false])
  }

  @Test func `a page that does not lead to the root is a lie, and an unrequested page a violation`() throws {
    var (fetching, _) = try opened()
    fetching.fetchPage(1, of: FileHandle(1))
    _ = drain(&fetching)
    var other = fetching
    let page = try #require(tree.page(PageIndex(1)))
    fetching.handle(
      .page(PageAnswer(handle: FileHandle(1), page: 1, chunkHashes: [Digest.zero], uncles: page.uncles)), at: .zero)
    guard case .close(.lied)? = drain(&fetching).last else {
      Issue.record("a lie is believed")
      return
    }
    other.handle(
      .page(PageAnswer(handle: FileHandle(1), page: 0, chunkHashes: page.chunkHashes, uncles: page.uncles)), at: .zero)
    guard case .close(.violation)? = drain(&other).last else {
      Issue.record("what was not asked for is taken")
      return
    }
  }

  @Test func `a BITMAP that repeats chunks is refused, so bitmaps cost no more than the file has chunks`() throws {
    var (fetching, _) = try opened()
    func bitmap(_ first: UInt32, count: Int) -> Bitmap {
      Bitmap(handle: FileHandle(1), firstChunk: ChunkIndex(first), count: count, bits: [0x80])
    }
    for inOrder in [bitmap(0, count: 1), bitmap(2, count: 1)] {
      fetching.handle(.bitmap(inOrder), at: .zero)
      expect(drain(&fetching), [.tell(.bitmap(inOrder), of: FileHandle(1))])
    }
    for again in [bitmap(2, count: 1), bitmap(1, count: 2), bitmap(0, count: 1)] {
      var session = fetching
      session.handle(.bitmap(again), at: .zero)
      guard case .close(.violation)? = drain(&session).first else {
        Issue.record("\(again) is taken")
        continue
      }
    }
  }

  @Test func `PROMISED beyond its limit is ignored without ending the session`() throws {
    var (fetching, _) = try opened()
    let promised = Promised(handle: FileHandle(1), chunks: Array(repeating: ChunkIndex(0), count: 1_000))
    var heard = 0
    for _ in 0..<20 {
      fetching.handle(.promised(promised), at: .zero)
      let actions = drain(&fetching)
      heard += actions.count
      #expect(actions.isEmpty || actions == [.tell(.promised(promised.chunks), of: FileHandle(1))])
    }
    #expect(heard >= 4 && heard < 10)
  }

  @Test func `DATA that is no longer wanted is dropped without blame`() throws {
    var (fetching, _) = try opened()
    let all = layout.leaves(of: ChunkIndex(2))
    fetching.request(
      FetchRequest(id: RequestID(1), chunk: ChunkIndex(2), leaves: all, chunkHash: tree.chunkHashes[2]),
      of: FileHandle(1))
    let data = Message.data(
      DataHeader(id: RequestID(1), leaves: all, isLast: true, leafHashes: leaves[2], byteCount: 44))
    _ = drain(&fetching)
    var cancelling = fetching
    cancelling.cancel(RequestID(1), of: FileHandle(1))
    _ = drain(&cancelling)
    cancelling.handle(data, at: .zero)
    expect(drain(&cancelling), [.expectPayload(isWanted: false)])
    fetching.handle(.withdrawn(Withdrawn(handle: FileHandle(1), reason: .changed)), at: .zero)
    expect(drain(&fetching), [.tell(.withdrawn(.changed), of: FileHandle(1))])
    fetching.handle(data, at: .zero)
    fetching.payloadEnded()
    expect(drain(&fetching), [.expectPayload(isWanted: false)])
  }

  @Test func `when the download is over, all requests are cancelled and late data is dropped`() throws {
    var (fetching, _) = try opened()
    let all = layout.leaves(of: ChunkIndex(2))
    for id in 1...2 {
      fetching.request(
        FetchRequest(id: RequestID(UInt32(id)), chunk: ChunkIndex(2), leaves: all, chunkHash: tree.chunkHashes[2]),
        of: FileHandle(1))
    }
    let first = Message.data(
      DataHeader(id: RequestID(1), leaves: all, isLast: true, leafHashes: leaves[2], byteCount: 44))
    fetching.handle(first, at: .zero)
    _ = drain(&fetching)
    fetching.close(FileHandle(1))
    expect(drain(&fetching), [.send(.cancel(RequestID(2))), .send(.close(FileHandle(1)))])
    fetching.payloadEnded()
    fetching.handle(
      .data(DataHeader(id: RequestID(2), leaves: all, isLast: true, leafHashes: leaves[2], byteCount: 44)), at: .zero)
    expect(drain(&fetching), [.expectPayload(isWanted: false)])
  }

  @Test func `a request gets BUSY with a delay if enough waits already, and is served if nothing waits`() throws {
    var (_, serving) = try opened()
    func request(_ id: UInt32) -> Message {
      .request(
        ChunkRequest(
          id: RequestID(id), handle: FileHandle(1), chunk: ChunkIndex(0), leaves: LeafRange(first: 0, count: 8),
          wantsLeafHashes: false))
    }
    func ask(_ id: UInt32) -> [PeerSessionAction] {
      serving.handle(request(id), at: .zero)
      for case .admit(let request) in drain(&serving) { serving.admit(request, isHeld: true) }
      return drain(&serving)
    }
    _ = drain(&serving)
    serving.uploadDelay = .milliseconds(2_500)
    expect(ask(1), [.promise(FileHandle(1), ChunkIndex(0))])
    #expect(serving.waitingByteCount == 128)
    expect(ask(2), [.send(.busy(Busy(id: RequestID(2), retryAfterMilliseconds: 2_500)))])
    serving.uploadDelay = nil
    expect(ask(3), [.promise(FileHandle(1), ChunkIndex(0))])
    _ = serving.nextUpload()
    #expect(serving.waitingByteCount == 192)
  }

  @Test func `failing OPENs are answered at once 64 times, then one a second, and successful ones at once`() throws {
    var serving = PeerSession(handshakeHash: hash, role: .listener)
    var end: SessionEnd?
    var answered: [UInt32] = []
    func take(_ answer: OpenAnswer, at now: Instant) {
      while let action = serving.nextAction() {
        switch action {
        case .lookUp(let open): serving.answer(open, answer, at: now)
        case .send(.opened(let opened)): answered.append(opened.handle.rawValue)
        case .close(let reason): end = reason
        default: Issue.record("\(action)")
        }
      }
    }
    func ask(_ handle: UInt32, _ answer: OpenAnswer, at now: Instant) {
      serving.handle(.open(Open(handle: FileHandle(handle), bucket: 0, proof: .zero)), at: now)
      take(answer, at: now)
    }
    func answers() -> [UInt32] {
      take(.noSuchFile, at: .zero)
      defer { answered = [] }
      return answered
    }
    func at(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }
    for handle in UInt32(0)..<64 { ask(handle, .noSuchFile, at: at(0)) }
    #expect(answers() == Array(0..<64) && serving.deadline == nil)
    for handle in UInt32(64)..<68 { ask(handle, .noSuchFile, at: at(0)) }
    ask(100, .file(served), at: at(0))
    #expect(answers() == [100] && serving.deadline == at(1_000))
    serving.timeFired(at: at(999))
    #expect(answers() == [])
    serving.timeFired(at: at(1_000))
    #expect(answers() == [64] && serving.deadline == at(2_000))
    serving.timeFired(at: at(60_000))
    #expect(answers() == [65, 66, 67] && serving.deadline == nil)
    for handle in UInt32(200)..<260 { ask(handle, .noSuchFile, at: at(60_000)) }
    #expect(answers() == Array(200..<256), "the time without any counts")
    for handle in UInt32(300)..<360 { ask(handle, .noSuchFile, at: at(60_000)) }
    #expect(answers() == [])
    ask(400, .noSuchFile, at: at(60_000))
    guard case .violation? = end else {
      Issue.record("a 65th OPEN waits")
      return
    }
  }

  @Test func `a PING is refused until the PONG of the last one was sent`() throws {
    var session = PeerSession(handshakeHash: hash, role: .listener)
    for number in UInt64(1)...3 {
      session.handle(.ping(number), at: .zero)
      expect(drain(&session), [.send(.pong(number))])
      session.pongLeft()
    }
    for number in UInt64(4)...5 { session.handle(.ping(number), at: .zero) }
    guard case .close(.violation)? = drain(&session).last else {
      Issue.record("a second PING is answered")
      return
    }
  }

  @Test func `announced hints wait for room, and are dropped when the file is withdrawn`() throws {
    var (_, serving) = try opened()
    serving.announce(promised: [ChunkIndex(1)], of: FileHandle(1))
    serving.announce(promised: [ChunkIndex(1)], of: FileHandle(9))
    serving.announce(promised: [ChunkIndex(1), ChunkIndex(2)], of: FileHandle(1))
    #expect(drain(&serving).isEmpty)
    let hints = [serving.nextHint(), serving.nextHint()]
    #expect(hints == [.promised(Promised(handle: FileHandle(1), chunks: [ChunkIndex(1), ChunkIndex(2)])), nil])
    serving.announce(promised: [ChunkIndex(1)], of: FileHandle(1))
    serving.withdraw(FileHandle(1), .changed)
    let late = serving.nextHint()
    #expect(late == nil)
  }

  @Test func `a file has one handle until it is withdrawn`() throws {
    var (_, serving) = try opened()
    _ = drain(&serving)
    let again = Open(handle: FileHandle(2), bucket: key.bucket, proof: key.openProof(hash, sender: .dialer))
    let refusal = Message.opened(Opened(handle: FileHandle(2), outcome: .refused(.tooManyFilesOpen)))
    var isOpen = serving.answer(again, .file(served), at: .zero)
    #expect(!isOpen)
    expect(drain(&serving), [.send(refusal)])
    serving.withdraw(FileHandle(1), .changed)
    isOpen = serving.answer(again, .file(served), at: .zero)
    #expect(isOpen)
  }

  @Test func `an upload that could not be sent is the next one again`() throws {
    var (_, serving) = try opened()
    let request = ChunkRequest(
      id: RequestID(1), handle: FileHandle(1), chunk: ChunkIndex(0), leaves: LeafRange(first: 0, count: 8),
      wantsLeafHashes: true)
    serving.admit(request, isHeld: true)
    serving.handle(.pageGet(PageGet(handle: FileHandle(1), page: 1)), at: .zero)
    _ = drain(&serving)
    for _ in 0..<3 {
      let bytes = serving.nextUploadByteCount
      let upload = serving.nextUpload()
      let first = try #require(upload)
      serving.putBack(first)
      let bytesAgain = serving.nextUploadByteCount
      let again = serving.nextUpload()
      #expect(again == first && bytesAgain == bytes)
    }
    let nothing = serving.nextUpload()
    #expect(nothing == nil, "a page and two pieces")
  }

  @Test func `a page counts all its bytes as upload, and goes first once`() throws {
    var (_, serving) = try opened()
    for index in 0..<UInt32(tree.pages.pageCount) {
      serving.handle(.pageGet(PageGet(handle: FileHandle(1), page: index)), at: .zero)
      let page = try #require(tree.page(PageIndex(index)))
      let frame = Message.page(
        PageAnswer(handle: FileHandle(1), page: index, chunkHashes: page.chunkHashes, uncles: page.uncles))
      var bytes: [UInt8] = []
      frame.encode(into: &bytes)
      #expect(serving.nextUploadByteCount == bytes.count && !serving.isNextPageRepeated)
      _ = serving.nextUpload()
      serving.handle(.pageGet(PageGet(handle: FileHandle(1), page: index)), at: .zero)
      #expect(serving.isNextPageRepeated)
      _ = serving.nextUpload()
    }
    #expect(serving.nextUploadByteCount == nil)
  }

  @Test func `an OPEN that may be answered later is looked up again`() throws {
    var fetching = PeerSession(handshakeHash: hash, role: .dialer)
    var serving = PeerSession(handshakeHash: hash, role: .listener)
    let handle = fetching.open(target)
    #expect(handle == FileHandle(1))
    let request = said(by: &fetching)
    serving.handle(try #require(request), at: .zero)
    guard case .lookUp(let open)? = drain(&serving).first else {
      Issue.record("the OPEN is not looked up")
      return
    }
    let isOpen = serving.answer(open, .notYet, at: .zero)
    let rest = drain(&serving)
    #expect(!isOpen && rest.isEmpty)
    serving.lookUpAgain()
    expect(drain(&serving), [.lookUp(open)])
    serving.answer(open, .noSuchFile, at: .zero)
    expect(
      drain(&serving), [.send(.opened(Opened(handle: FileHandle(1), outcome: .refused(.noSuchFile))))])
  }

  @Test func `an OPEN counts as unanswered while it is looked up`() throws {
    var serving = PeerSession(handshakeHash: hash, role: .listener)
    let limit = UInt32(ProtocolLimits.opensUnansweredMax)
    for number in 1...limit {
      let open = Open(handle: FileHandle(number), bucket: 1, proof: .zero)
      serving.handle(.open(open), at: .zero)
    }
    #expect(drain(&serving).count == Int(limit) && !serving.isEnded)
    serving.handle(.open(Open(handle: FileHandle(limit + 1), bucket: 1, proof: .zero)), at: .zero)
    #expect(serving.isEnded)
  }

  @Test func `a session sends nothing after its end`() throws {
    var (fetching, serving) = try opened()
    serving.handle(.goodbye(Goodbye(code: .done, text: "")), at: .zero)
    expect(drain(&serving), [.close(.remote(.done, ""))])
    serving.handle(.ping(1), at: .zero)
    serving.withdraw(FileHandle(1), .changed)
    fetching.end()
    _ = fetching.open(target)
    fetching.fetchPage(0, of: FileHandle(1))
    fetching.cancel(RequestID(1), of: FileHandle(1))
    let rest = drain(&serving) + drain(&fetching)
    #expect(rest.isEmpty)
    let upload = serving.nextUpload()
    #expect(!serving.hasUploads && upload == nil)
  }
}
