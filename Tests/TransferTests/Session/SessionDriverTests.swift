// What a connection owes its session: PINGs, PONGs that are sent, payloads, and the pace of waiting uploads.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct SessionDriverTests {
  private static let layout = ChunkLayout(fileLength: 4 << 20)!
  private static let tree = HashTree(layout, chunkHashes: Array(repeating: .zero, count: 4))!
  private static let key = FileKey(FileID(kind: .file, length: layout.fileLength, root: tree.root), swarm: nil)
  private static let hash = Digest(Array(repeating: 7, count: 32))!

  private func drain(_ driver: inout SessionDriver) -> [PeerSessionAction] {
    var actions: [PeerSessionAction] = []
    while let action = driver.nextAction() { actions.append(action) }
    return actions
  }

  /// Returns a driver whose peer has opened a file of 4 chunks.
  private func serving() -> SessionDriver {
    var driver = SessionDriver(handshakeHash: Self.hash, role: .listener)
    let open = Open(
      handle: FileHandle(1), bucket: Self.key.bucket, proof: Self.key.openProof(Self.hash, sender: .dialer))
    driver.receive(.open(open), at: .zero)
    #expect(drain(&driver) == [.lookUp(open)])
    let file = ServedFile(key: Self.key, pages: Self.tree.pages, root: Self.tree.root, name: "file")
    let isOpen = driver.answer(open, .file(file), at: .zero)
    #expect(isOpen && drain(&driver).count == 1)
    return driver
  }

  private func request(_ id: UInt32, _ chunk: UInt32) -> ChunkRequest {
    ChunkRequest(
      id: RequestID(id), handle: FileHandle(1), chunk: ChunkIndex(chunk), leaves: LeafRange(first: 0, count: 64),
      wantsLeafHashes: false)
  }

  @Test func `a peer gets one PING until it answers`() {
    var driver = serving()
    let pings = [60, 61].map { driver.ping(at: .seconds($0)) }
    #expect(pings == [true, false])
    #expect(drain(&driver) == [.send(.ping(60_000_000_000))])
    driver.receive(.pong(60_000_000_000), at: .seconds(63))
    let pingsAgain = driver.ping(at: .seconds(63))
    #expect(pingsAgain)
    #expect(drain(&driver) == [.send(.ping(63_000_000_000))])
  }

  @Test(arguments: [99, 100])
  func `a second PING is accepted once the PONG was sent`(leftByteCount: Int) {
    var driver = serving()
    driver.receive(.ping(1), at: .zero)
    let pong = Message.pong(1)
    #expect(drain(&driver) == [.send(pong)])
    driver.queued(pong, outboxByteCount: 100)
    driver.left(60)
    driver.left(leftByteCount - 60)
    driver.receive(.ping(2), at: .zero)
    let isRefused = drain(&driver).contains { if case .close(.violation) = $0 { true } else { false } }
    #expect(isRefused == (leftByteCount < 100))
  }

  @Test func `requests beyond the pace of the peer get BUSY`() throws {
    var driver = serving()
    driver.receive(.request(request(1, 0)), at: .zero)
    driver.note(isWaiting: true, at: .zero)
    #expect(drain(&driver) == [.admit(request(1, 0))])
    driver.admit(request(1, 0), .yes)
    #expect(drain(&driver) == [.promise(FileHandle(1), ChunkIndex(0))])
    // One piece takes eight seconds, so the rest takes far longer than `UploadPace.waitMax`.
    guard case .piece(let piece)? = driver.nextUpload() else {
      Issue.record("no piece")
      return
    }
    let isSettled = driver.sent(piece, byteCount: 4 << 14, at: .seconds(8))
    #expect(!isSettled)
    driver.receive(.request(request(2, 1)), at: .seconds(8))
    #expect(drain(&driver) == [.admit(request(2, 1))])
    driver.admit(request(2, 1), .yes)
    guard case .send(.busy(let busy))? = drain(&driver).first else {
      Issue.record("not refused")
      return
    }
    #expect(busy.id == RequestID(2) && busy.retryAfterMilliseconds == 10_000)
  }

  @Test func `chunks to recheck are named only if the peer reports bad data`() {
    for code in [CloseCode.badData, .done] {
      var driver = serving()
      for (id, chunk) in [(UInt32(1), UInt32(2)), (2, 0)] {
        driver.receive(.request(request(id, chunk)), at: .zero)
        _ = drain(&driver)
        driver.admit(request(id, chunk), .yes)
      }
      var settled: [ChunkIndex] = []
      while case .piece(let piece)? = driver.nextUpload() {
        if driver.sent(piece, byteCount: 4 << 14, at: .zero) { settled.append(piece.chunk) }
      }
      #expect(settled.map(\.rawValue) == [2, 0])
      #expect(driver.chunksToRecheck.isEmpty)
      driver.receive(.goodbye(Goodbye(code: code, text: "")), at: .zero)
      _ = drain(&driver)
      #expect(driver.chunksToRecheck.map(\.chunk.rawValue) == (code == .badData ? [0, 2] : []))
    }
  }

  @Test func `hints wait while the outbox is full, and nothing is sent after the end`() {
    var driver = serving()
    driver.session.announce(promised: [ChunkIndex(1)], of: FileHandle(1))
    let early = driver.nextHint(outboxByteCount: NodeLimits.hintedOutboxBytesMax + 1)
    let hint = driver.nextHint(outboxByteCount: NodeLimits.hintedOutboxBytesMax)
    #expect(early == nil && hint != nil)
    driver.session.announce(promised: [ChunkIndex(2)], of: FileHandle(1))
    driver.end()
    driver.receive(.ping(1), at: .zero)
    let isDue = driver.fire(at: .seconds(90))
    let pings = driver.ping(at: .seconds(90))
    let (rest, next, upload) = (drain(&driver), driver.nextHint(outboxByteCount: 0), driver.nextUpload())
    #expect(!isDue && !pings && rest.isEmpty && next == nil && upload == nil)
  }
}
