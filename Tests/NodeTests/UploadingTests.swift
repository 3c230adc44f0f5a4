// What one turn of a connection costs, and that a page is an upload like any other.
import Content
import Glibc
import Posix
import Testing
import TestSupport
import Wire

@testable import Node
@testable import Transfer

@Suite struct UploadingTests {
  private let handle = FileHandle(1)

  private func open(_ server: TurnedServer, _ peer: HandMadePeer) throws -> PeerConnection {
    let key = FileKey(server.entry.fileID, swarm: nil)
    let proof = key.openProof(peer.handshakeHash, sender: .dialer)
    try peer.send(.open(Open(handle: handle, bucket: key.bucket, proof: proof)))
    guard case .opened(let opened)? = try peer.next(), case .opened = opened.outcome else {
      throw SocketEnd.endOfStream
    }
    return try #require(server.loop.connections.values.first)
  }

  @Test func `of many equal files that were all written to a turn tries 16, and then the peer hears of it`() throws {
    let server = try TurnedServer(fileLength: 100_000, linkCount: 99)
    let peer = try server.peer()
    let connection = try open(server, peer)
    let catalogue = try #require(server.loop.context.catalogue)
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
    sent -= try #require(connection.session).pagesWaiting.count
    // What may leave at once.
    #expect(sent == (256 << 10) / page)
  }
}
