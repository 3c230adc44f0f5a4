// Hints do not make a connection hold more for a peer that does not read.
import Content
import Testing
import Transfer
import TestSupport
import Wire

@testable import PeerNode

@Suite struct HintTests {
  /// The token of a connection that no loop has.
  private let other = ConnectionToken(loop: 0, number: 77)

  private let handle = FileHandle(1)

  /// Returns a peer that has opened the file, has requested pieces and reads none. The kernel takes no more bytes for it.
  private func stuck(_ server: TurnedServer) throws -> (peer: ScriptedPeer, connection: PeerConnection) {
    let peer = try server.peer(receiveBytes: nil)
    let key = FileKey(server.entry.fileID, swarm: nil)
    let proof = key.openProof(peer.handshakeHash, sender: .dialer)
    try peer.send(.open(Open(handle: handle, bucket: key.bucket, proof: proof)))
    guard case .opened? = try peer.next() else { throw SocketEnd.endOfStream }
    for id in UInt32(1)...64 {
      try peer.send(
        .request(
          ChunkRequest(
            id: RequestID(id), handle: handle, chunk: ChunkIndex(id % 8), leaves: LeafRange(first: 0, count: 64),
            wantsLeafHashes: false)))
    }
    let connection = try #require(server.loop.connections.values.first)
    for _ in 0..<1000 where connection.outbound.bytes.isEmpty { _ = server.loop.turn() }
    for id in UInt32(1)...64 { try peer.send(.cancel(RequestID(id))) }
    for _ in 0..<1000 where connection.hasToSend { _ = server.loop.turn() }
    var waits = 0
    while connection.outbound.bytes.count != waits {  // repeat until a turn in which the kernel accepted nothing
      waits = connection.outbound.bytes.count
      _ = server.loop.turn()
    }
    try #require(waits > 0 && !connection.hasToSend)
    let end = try #require(connection.peer)
    while connection.outbound.bytes.count <= NodeLimits.hintedOutboxBytesMax {
      connection.send(.cancel(RequestID(1)), to: end)
    }
    return (peer, connection)
  }

  @Test func `promises wait, each once, while a peer does not read, and are sent when it reads`() throws {
    let server = try TurnedServer(fileLength: 8 << 20)
    let (peer, connection) = try stuck(server)
    let outboxBytes = connection.outbound.bytes.count
    for _ in 0..<1_000 {
      for chunk in UInt32(0)..<8 { connection.promised(ChunkIndex(chunk), of: server.entry.fileID, to: other) }
      _ = server.loop.turn()
    }
    #expect(connection.outbound.bytes.count <= outboxBytes)
    #expect(try #require(connection.peer).driver.session.hints.byteCount <= 1_000)
    var message = try peer.next()
    reading: while let other = message {
      switch other {
      case .data, .cancel: message = try peer.next()
      default: break reading
      }
    }
    #expect(message == .promised(Promised(handle: handle, chunks: (0..<8).map { ChunkIndex($0) })))
  }

  @Test func `promises of one turn are sent in one message`() throws {
    let server = try TurnedServer(fileLength: 8 << 20)
    let peer = try server.peer()
    let key = FileKey(server.entry.fileID, swarm: nil)
    let proof = key.openProof(peer.handshakeHash, sender: .dialer)
    try peer.send(.open(Open(handle: handle, bucket: key.bucket, proof: proof)))
    guard case .opened? = try peer.next() else { throw SocketEnd.endOfStream }
    for chunk in UInt32(0)..<3 {
      server.loop.mailbox.send(.promised(server.entry.fileID, ChunkIndex(chunk), to: other))
    }
    #expect(try peer.next() == .promised(Promised(handle: handle, chunks: (0..<3).map { ChunkIndex($0) })))
  }

  @Test func `a peer that takes no bytes for 60 s is dropped, however many hints wait for it`() throws {
    let server = try TurnedServer(fileLength: 8 << 20)
    let (_, connection) = try stuck(server)
    let last = connection.timers.lastSentAt
    for seconds in [30, 59, 60] {
      #expect(!connection.isClosed)
      connection.promised(ChunkIndex(UInt32(seconds) % 8), of: server.entry.fileID, to: other)
      server.loop.now = last + .seconds(seconds)
      connection.sendHints()
      connection.checkDeadlines()
    }
    #expect(connection.isClosed)
  }
}
