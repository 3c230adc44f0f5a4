// The cost of one turn of a connection: frames, paths of equal files, and pages, which count as uploads.
import Content
import Glibc
import Posix
import Synchronization
import Testing
import TestSupport
import Wire

@testable import PeerNode
@testable import Transfer

@Suite struct UploadingTests {
  private let handle = FileHandle(1)

  private func open(_ server: TurnedServer, _ peer: ScriptedPeer) throws -> PeerConnection {
    let key = FileKey(server.entry.fileID, swarm: nil)
    let proof = key.openProof(peer.handshakeHash, sender: .dialer)
    try peer.send(.open(Open(handle: handle, bucket: key.bucket, proof: proof)))
    guard case .opened(let opened)? = try peer.next(), case .opened = opened.outcome else {
      throw SocketEnd.endOfStream
    }
    return try #require(server.loop.connections.values.first)
  }

  @Test func `of many equal files that changed, a turn tries 16, and the peer gets WITHDRAWN at the end`() throws {
    let server = try TurnedServer(fileLength: 100_000, linkCount: 99)
    let peer = try server.peer()
    let connection = try open(server, peer)
    let catalogue = server.share.catalogue
    var times = [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 0)]
    utimensat(AT_FDCWD, server.folder.path + "/zeros", &times, 0)
    try peer.send(
      .request(
        ChunkRequest(
          id: RequestID(1), handle: handle, chunk: ChunkIndex(0), leaves: LeafRange(first: 0, count: 7),
          wantsLeafHashes: false)))
    connection.isReady(.readable)
    connection.sendPiece()
    #expect(catalogue.served.files == 84)
    connection.sendPiece()
    #expect(catalogue.served.files == 68)
    #expect(try peer.next() == .withdrawn(Withdrawn(handle: handle, reason: .changed)))
    #expect(catalogue.served.files == 0)
  }

  @Test func `pages count against the upload limit`() throws {
    let server = try TurnedServer(fileLength: 64 << 20, uploadLimit: 1)
    let peer = try server.peer()
    let connection = try open(server, peer)
    let page = Message.page(
      PageAnswer(
        handle: handle, page: 0, chunkHashes: Array(repeating: .zero, count: 64), uncles: [])
    ).frame.count
    var (sent, received) = (0, 0)
    while sent < 1_000, !server.loop.isThrottled {
      for _ in 0..<64 { try peer.send(.pageGet(PageGet(handle: handle, page: 0))) }
      sent += 64
      while received < sent, !server.loop.isThrottled, try peer.next() != nil { received += 1 }
    }
    sent -= try #require(connection.peer).driver.session.pagesWaiting.count
    // As many pages as the burst allows.
    #expect(sent == (256 << 10) / page)
  }

  enum SmallFrame: String, CaseIterable { case cancel, skipped }

  @Test(arguments: SmallFrame.allCases)
  func `a turn handles few frames of one connection before it turns to the others`(_ small: SmallFrame) throws {
    let server = try TurnedServer(fileLength: 100_000)
    let peer = try server.peer()
    try peer.send(.ping(1))
    #expect(try peer.next() == .pong(1))
    let connection = try #require(server.loop.connections.values.first)
    let before = connection.inbound.decoder.completedFrames
    let one = small == .cancel ? Message.cancel(RequestID(5)).frame : frame(type: 0x41, body: [])
    try peer.send(frames: (0..<2_000).flatMap { _ in one })
    try peer.send(.ping(2))
    for turn in 1...3 {
      _ = server.loop.turn()
      #expect(connection.inbound.decoder.completedFrames == before + NodeLimits.framesPerTurn * turn)
    }
    let other = try server.peer()
    #expect(connection.inbound.decoder.completedFrames < before + 2_000, "the other was let in meanwhile")
    #expect(try peer.next() == .pong(2), "nothing is lost")
    withExtendedLifetime(other) {}
  }

  @Test func `the answers to the frames of one event are sent together after it`() throws {
    let server = try TurnedServer(fileLength: 1 << 20)
    let peer = try server.peer()
    let connection = try open(server, peer)
    let opens = (2..<32).map { Message.open(Open(handle: FileHandle($0), bucket: 0, proof: .zero)).frame }
    try peer.send(frames: opens.flatMap { $0 })
    connection.receive()
    let waiting = connection.outbound.bytes.count
    #expect(waiting > 30 * 10)
    connection.settle()
    let left = connection.outbound.bytes.count
    #expect(left == 0)
  }

  @Test func `a second PING before the PONG of the first was sent is refused`() throws {
    let server = try TurnedServer(fileLength: 100_000)
    let peer = try server.peer()
    for number in UInt64(0)..<100 {
      try peer.send(.ping(number))
      #expect(try peer.next() == .pong(number))
    }
    try peer.send(frames: Message.ping(100).frame + Message.ping(101).frame)
    #expect(try peer.next() == .pong(100))
    #expect(try peer.next()?.goodbyeCode == .protocolError)
  }

  @Test func `of two loops that wait for the upload limit, the one with the least-served address goes first`() {
    let clock = Atomic<Int64>(0)
    let limiter = UploadLimiter(bytesPerSecond: 100_000) { clock.load(ordering: .relaxed) }
    let greedy = AddressGroup(ip: [UInt8](repeating: 1, count: 16))
    let other = AddressGroup(ip: [UInt8](repeating: 2, count: 16))
    #expect(limiter.wait(toSend: 256 << 10, to: greedy, on: 0) == nil)
    #expect(limiter.wait(toSend: 50_000, to: greedy, on: 0) == .milliseconds(500))
    #expect(limiter.wait(toSend: 50_000, to: other, on: 1) == .milliseconds(500))
    clock.store(500_000_000, ordering: .relaxed)
    #expect(limiter.wait(toSend: 50_000, to: greedy, on: 0) == .milliseconds(1))
    #expect(limiter.wait(toSend: 50_000, to: other, on: 1) == nil)
    // The other loop does not come in time, so its claim expires.
    clock.store(1_000_000_000, ordering: .relaxed)
    #expect(limiter.wait(toSend: 50_000, to: greedy, on: 0) == nil)
  }

  @Test func `an upload limit follows its own clock, whatever the clocks of the loops are`() {
    let clock = Atomic<Int64>(0)
    let limiter = UploadLimiter(bytesPerSecond: 100_000) { clock.load(ordering: .relaxed) }
    #expect(limiter.wait(toSend: 256 << 10) == nil, "at once after a pause")
    #expect(limiter.wait(toSend: 50_000) == .milliseconds(500))
    clock.store(499_999_999, ordering: .relaxed)
    #expect(limiter.wait(toSend: 50_000) == .nanoseconds(1))
    // A small send need not wait until a large one is served.
    #expect(limiter.wait(toSend: 20_000) == nil)
    clock.store(1_000_000_000, ordering: .relaxed)
    #expect(limiter.wait(toSend: 80_000) == nil)
  }

  @Test func `the limit per peer covers all connections from its address and no others`() {
    let clock = Atomic<Int64>(0)
    let limiter = UploadLimiter(bytesPerSecond: nil, perPeer: 100_000) { clock.load(ordering: .relaxed) }
    func pace(_ bytes: Int, _ host: UInt8, on loop: Int = 0) -> UploadLimiter.Pace {
      let ip = [UInt8](repeating: host, count: 16)
      return limiter.pace(bytes, to: AddressGroup(ip: ip), at: ip, on: loop)
    }
    #expect(pace(256 << 10, 1) == .send, "at once after a pause")
    #expect(pace(50_000, 1, on: 0) == .hold(.milliseconds(500)))
    #expect(pace(50_000, 1, on: 1) == .hold(.milliseconds(500)), "another loop, the same peer")
    #expect(pace(50_000, 2, on: 0) == .send)
    clock.store(500_000_000, ordering: .relaxed)
    #expect(pace(50_000, 1, on: 1) == .send)
    #expect(pace(50_000, 1, on: 0) == .hold(.milliseconds(500)))
    limiter.change(to: nil, perPeer: nil)
    #expect(pace(1 << 30, 1) == .send)
  }
}

extension UploadLimiter {
  /// For the first loop, always to the same address.
  func wait(toSend bytes: Int) -> Duration? {
    wait(toSend: bytes, to: AddressGroup(ip: [UInt8](repeating: 1, count: 16)), on: 0)
  }

  /// The delay before the bytes may leave. Nil: they leave now.
  fileprivate func wait(toSend bytes: Int, to group: AddressGroup, on loop: Int) -> Duration? {
    switch pace(bytes, to: group, at: [UInt8](repeating: 1, count: 16), on: loop) {
    case .send: nil
    case .wait(let delay), .hold(let delay): delay
    }
  }
}
