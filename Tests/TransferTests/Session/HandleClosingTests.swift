// A peer closes a handle: waiting requests are void, and another file can be opened.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct HandleClosingTests {
  private let largest: UInt64 = 1 << 40

  private func file(_ number: UInt8, byteCount: UInt64 = 3 << 20, parts: HeldParts? = nil) -> ServedFile {
    let root = Digest(Array(repeating: number, count: 32))!
    return ServedFile(
      key: FileKey(FileID(kind: .file, length: byteCount, root: root), swarm: nil),
      pages: PageLayout(ChunkLayout(fileLength: byteCount)!), root: root, name: "file", parts: parts)
  }

  private func serving() -> PeerSession { PeerSession(handshakeHash: .zero, role: .listener) }

  private func drain(_ session: inout PeerSession) -> [PeerSessionAction] {
    var actions: [PeerSessionAction] = []
    while let action = session.nextAction() { actions.append(action) }
    return actions
  }

  /// An OPEN arrives and means the file. Returns whether the file is then open.
  private func open(
    _ handle: UInt32, _ file: ServedFile, on session: inout PeerSession, at now: Instant = .zero
  ) -> Bool {
    let open = Open(handle: FileHandle(handle), bucket: 0, proof: .zero)
    session.handle(.open(open), at: now)
    session.answer(open, .file(file), at: now)
    let answers = drain(&session).compactMap { action -> Opened? in
      if case .send(.opened(let opened)) = action { opened } else { nil }
    }
    #expect(answers.count == 1 && answers[0].handle == open.handle)
    if case .opened? = answers.first?.outcome { return true }
    #expect(answers.first?.outcome == .refused(.tooManyFilesOpen))
    return false
  }

  private func close(_ handle: UInt32, on session: inout PeerSession) -> [PeerSessionAction] {
    session.handle(.close(FileHandle(handle)), at: .zero)
    return drain(&session)
  }

  private func ask(_ id: UInt32, _ handle: UInt32, chunk: UInt32, on session: inout PeerSession) {
    let request = ChunkRequest(
      id: RequestID(id), handle: FileHandle(handle), chunk: ChunkIndex(chunk), leaves: LeafRange(first: 0, count: 4),
      wantsLeafHashes: false)
    session.handle(.request(request), at: .zero)
    session.admit(request, isHeld: true)
  }

  @Test func `closing a handle drops its requests and hints, and settles each of its chunks once`() throws {
    var session = serving()
    let areOpen = [open(1, file(1), on: &session), open(2, file(2), on: &session)]
    #expect(areOpen == [true, true])
    for (id, handle, chunk) in [(1, 1, 2), (2, 2, 1), (3, 1, 0), (4, 1, 2)] as [(UInt32, UInt32, UInt32)] {
      ask(id, handle, chunk: chunk, on: &session)
    }
    session.handle(.pageGet(PageGet(handle: FileHandle(1), page: 0)), at: .zero)
    session.announce(promised: [ChunkIndex(1)], of: FileHandle(1))
    _ = drain(&session)
    let actions = close(1, on: &session)
    let handle = FileHandle(1)
    #expect(actions == [.settle(handle, ChunkIndex(2)), .settle(handle, ChunkIndex(0)), .closed(handle)])
    let hint = session.nextHint()
    #expect(hint == nil && session.served.keys.map(\.rawValue) == [2] && session.upload.openCount == 1)
    guard case .piece(let piece)? = session.nextUpload() else {
      Issue.record("the other file is not sent")
      return
    }
    let rest = session.nextUpload()
    #expect(piece.request == RequestID(2) && rest == nil && !session.hasUploads)
  }

  @Test func `closing a handle of a partial file settles nothing, as nothing was promised`() {
    var session = serving()
    let isOpen = open(1, file(1, parts: HeldParts(wholeChunks: [0xE0], runs: [])), on: &session)
    ask(1, 1, chunk: 0, on: &session)
    _ = drain(&session)
    let actions = close(1, on: &session)
    #expect(isOpen && actions == [.closed(FileHandle(1))])
    session.announce([LeafRun(chunk: ChunkIndex(0), leaves: LeafRange(first: 0, count: 1))], of: FileHandle(1))
    let hint = session.nextHint()
    #expect(hint == nil)
  }

  @Test func `CLOSE of a handle that is not open is ignored`() {
    var session = serving()
    let isOpen = open(1, file(1), on: &session)
    let never = close(9, on: &session)
    session.withdraw(FileHandle(1), .changed)
    _ = drain(&session)
    let withdrawn = close(1, on: &session)
    let again = close(1, on: &session)
    #expect(isOpen && never == [] && withdrawn == [] && again == [] && !session.isEnded)
  }

  @Test(arguments: [true, false])
  func `a closed handle is forgotten, even if its file was withdrawn before`(isWithdrawn: Bool) {
    var session = serving()
    let isOpen = open(1, file(1), on: &session)
    if isWithdrawn { session.withdraw(FileHandle(1), .changed) }
    _ = close(1, on: &session)
    #expect(isOpen && !session.upload.wasWithdrawn(FileHandle(1)))
    var other = session
    ask(1, 1, chunk: 0, on: &session)
    other.handle(.pageGet(PageGet(handle: FileHandle(1), page: 0)), at: .zero)
    #expect(session.isEnded && other.isEnded)
  }

  @Test func `one connection opens any number of files one after another, and 64 at a time`() {
    var session = serving()
    for handle in UInt32(1)...300 {
      let isOpen = open(handle, file(UInt8(handle % 3)), on: &session)
      #expect(isOpen && session.served.count == 1)
      _ = close(handle, on: &session)
    }
    let first = (UInt32(0)..<64).map { open(1_000 + $0, file(UInt8($0)), on: &session) }
    #expect(first.allSatisfy { $0 })
    let tooMany = open(2_000, file(64), on: &session)
    _ = close(1_000, on: &session)
    let next = open(2_001, file(64), on: &session)
    #expect(!tooMany && next && session.served.count == 64 && session.upload.openCount == 64)
  }

  @Test func `a peer that keeps opening and closing large files is refused for a second`() {
    var session = serving()
    var handle: UInt32 = 0
    func opens(at milliseconds: Int64) -> Bool {
      handle += 1
      let isOpen = open(
        handle, file(1, byteCount: largest), on: &session, at: .zero + .milliseconds(milliseconds))
      _ = close(handle, on: &session)
      return isOpen
    }
    let atOnce = (0..<66).map { _ in opens(at: 0) }
    #expect(atOnce == Array(repeating: true, count: 64) + [false, false])
    let later = [opens(at: 999), opens(at: 1_000), opens(at: 1_001)]
    #expect(later == [false, true, false] && !session.isEnded)
  }
}
