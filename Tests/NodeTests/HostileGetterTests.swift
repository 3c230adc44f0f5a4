// Hostile getters: none of them can crash a serving node or harm another peer.
import Content
import Posix
import Storage
import TestSupport
import Testing
import Wire

@testable import PeerNode
@testable import Transfer

@Suite struct HostileGetterTests {
  func open(_ server: TurnedServer, _ peer: ScriptedPeer) throws {
    let key = FileKey(server.entry.fileID, swarm: nil)
    let proof = key.openProof(peer.handshakeHash, sender: .dialer)
    try peer.send(.open(Open(handle: FileHandle(1), bucket: key.bucket, proof: proof)))
    let answer = try peer.next()
    guard case .opened(let opened)? = answer, case .opened = opened.outcome else {
      Issue.record("not opened: \(String(describing: answer))")
      return
    }
  }

  func request(_ id: UInt32, chunk: UInt32 = 0) -> Message {
    .request(
      ChunkRequest(
        id: RequestID(id), handle: FileHandle(1), chunk: ChunkIndex(chunk), leaves: LeafRange(first: 0, count: 64),
        wantsLeafHashes: false))
  }

  @Test func `a peer that does not read and then breaks the protocol ends only its own connection`() throws {
    let server = try TurnedServer(fileLength: 8 << 20)
    let peer = try server.peer()
    try open(server, peer)
    for id in 1...64 { try peer.send(request(UInt32(id), chunk: UInt32(id % 8))) }
    let connection = try #require(server.loop.connections.values.first)
    // Run until the kernel accepts no more bytes.
    for _ in 0..<1000 where connection.outbound.bytes.isEmpty { _ = server.loop.turn() }
    let waits = connection.outbound.bytes.count
    #expect(waits > 0)
    try peer.send(frames: [0, 0, 0, 1, 0x20])  // an unknown even type
    for _ in 0..<10 where !connection.isFinishing { _ = server.loop.turn() }
    #expect(connection.isFinishing && !connection.isClosed)
    let left = connection.inbound.bytes.count
    #expect(left == 0)
  }

  @Test func `a CANCEL of an unknown request is ignored`() throws {
    let server = try TurnedServer(fileLength: 1 << 20)
    let peer = try server.peer()
    try open(server, peer)
    try peer.send(.cancel(RequestID(77)))
    try peer.send(.ping(5))
    #expect(try peer.next() == .pong(5))
  }

  @Test func `HAVE for a file that was never opened breaks the protocol`() throws {
    let server = try TurnedServer(fileLength: 1 << 20)
    let peer = try server.peer()
    try open(server, peer)  // opened by the peer, not by the server
    try peer.send(
      .have(
        Have(
          handle: FileHandle(1),
          runs: [LeafRun(chunk: ChunkIndex(0), leaves: LeafRange(first: 0, count: 1))])))
    guard case .goodbye(let goodbye)? = try peer.next() else {
      Issue.record("no GOODBYE")
      return
    }
    #expect(goodbye.code == .protocolError)
  }

  @Test func `a late command to drop a half-open connection does not end an established one`() throws {
    let server = try TurnedServer(fileLength: 1 << 20)
    let peer = try server.peer()
    try peer.send(.ping(1))
    #expect(try peer.next() == .pong(1))
    let token = try #require(server.loop.connections.keys.first)
    server.loop.mailbox.send(.admission(.drop(token)))
    try peer.send(.ping(2))
    #expect(try peer.next() == .pong(2))
  }

  @Test func `the progress of each frame is measured on its own`() throws {
    let server = try TurnedServer(fileLength: 1 << 20)
    let peer = try server.peer()
    try peer.send(.ping(1))
    #expect(try peer.next() == .pong(1))
    let connection = try #require(server.loop.connections.values.first)
    #expect(connection.timers.partialFrame == nil)
    // Each frame ends with the start of the next one, in a long valid stream.
    var ping: [UInt8] = []
    Message.ping(2).encode(into: &ping)
    let start = Array(ping[..<5])
    try peer.send(frames: start)
    for _ in 0..<20 {
      try peer.send(frames: Array(ping[5...]) + start)
      #expect(try peer.next() == .pong(2))
      #expect(connection.timers.partialFrame != nil)
    }
    // Only bytes of the last frame count, and earlier frames give no credit.
    #expect(try #require(connection.timers.partialFrame).byteCount < 100)
  }

  @Test func `the highest upload rate does not overflow`() throws {
    let limiter = UploadLimiter(bytesPerSecond: .max)
    #expect(limiter.wait(toSend: 65_536) == nil)
    _ = UploadLimiter(bytesPerSecond: 0)
  }
}
