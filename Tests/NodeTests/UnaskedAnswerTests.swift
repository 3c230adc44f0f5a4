// Hostile peers of a node that fetches: answers without a request, and ends in the middle of an answer.
import Content
import Posix
import Storage
import TestSupport
import Testing
import Transfer
import Wire

@testable import PeerNode

/// A loop that has dialled a scripted peer, and the two ends of what they say. The test turns the loop itself.
private final class Fetching {
  static let length = 100_000
  let loop: NetworkLoop
  let link: DownloadLink
  let token: ConnectionToken
  let peer: ScriptedPeer
  let id = ConnectionID(1)
  let leafHashes: [Digest]
  let layout = ChunkLayout(fileLength: UInt64(Fetching.length))!
  let root: Digest
  private let key: FileKey

  init(payload: HandshakePayload = HandshakePayload()) throws {
    let content = [UInt8](repeating: 0, count: Fetching.length)
    leafHashes = MerkleTree.leafHashes(content.span.bytes, leafSize: ChunkLayout.wireLeafSize)
    root = MerkleTree.chunkHash(leafHashes, in: layout)
    let fileID = FileID(kind: .file, length: UInt64(Fetching.length), root: root)
    key = FileKey(fileID, swarm: nil)
    var configuration = NodeConfiguration(identity: .random())
    configuration.loopCount = 1
    let context = try NodeContext(configuration) { _ in }
    link = DownloadLink(fileID: fileID, key: key, on: context.threads) { _ in }
    let loop = try NetworkLoop(context: context, index: 0)
    self.loop = loop
    let listener = try Socket.listening(on: Endpoint(ipv4: (127, 0, 0, 1), port: 0))
    token = context.takeToken(forLoop: 0)
    loop.mailbox.send(.dial(token, try listener.localAddress(), pinned: nil, suite: .chaChaPoly))
    _ = loop.turn()
    var accepted = try listener.accepting()
    for _ in 0..<100 where accepted == nil {
      _ = loop.turn()
      accepted = try listener.accepting()
    }
    peer = try ScriptedPeer(
      accepting: BlockingSocket(owning: try #require(accepted).socket), as: .random(), payload: payload,
      turn: { _ = loop.turn() })
  }

  var connection: PeerConnection? { loop.connections.values.first }

  func send(_ command: LoopCommand) {
    loop.mailbox.send(command)
    _ = loop.turn()
  }

  /// The peer's OPENED, after the OPEN.
  func open() throws {
    try ping()
    send(.open(token, id, link))
    guard case .open? = try peer.next() else {
      Issue.record("no OPEN")
      return
    }
    try peer.send(opened)
    try ping()
  }

  /// Everything that was sent so far has been dealt with.
  func ping() throws {
    try peer.send(.ping(9))
    while let message = try peer.next() { if message == .pong(9) { return } }
  }

  var opened: Message {
    .opened(
      Opened(
        handle: FileHandle(1),
        outcome: .opened(
          OfferedFile(
            proof: key.haveProof(peer.handshakeHash, sender: .listener), kind: 0, length: UInt64(Fetching.length),
            root: root, chunkSizeLog2: 20, availability: .complete, suggestedName: "zeros"))))
  }

  var page: Message { .page(PageAnswer(handle: FileHandle(1), page: 0, chunkHashes: [root], uncles: [])) }

  func request(_ request: UInt32) throws {
    send(
      .request(
        token, link.id,
        FetchRequest(
          id: RequestID(request), chunk: ChunkIndex(0), leaves: layout.leaves(of: ChunkIndex(0)), chunkHash: root)))
    guard case .request? = try peer.next() else {
      Issue.record("no REQUEST")
      return
    }
  }

  /// The code of the GOODBYE that comes next.
  func goodbye() throws -> CloseCode? {
    while let message = try peer.next() { if case .goodbye(let goodbye) = message { return goodbye.code } }
    return nil
  }
}

@Suite struct UnaskedAnswerTests {
  @Test func `a page that was not asked for is refused`() throws {
    let fetching = try Fetching()
    try fetching.open()
    fetching.send(.fetchPage(fetching.token, fetching.link.id, page: 0))
    guard case .pageGet? = try fetching.peer.next() else {
      Issue.record("no PAGE_GET")
      return
    }
    try fetching.peer.send(fetching.page)
    try fetching.ping()
    try fetching.peer.send(fetching.page)
    #expect(try fetching.goodbye() == .protocolError)
  }

  @Test func `an OPENED that was not asked for is refused`() throws {
    let fetching = try Fetching()
    try fetching.ping()
    try fetching.peer.send(fetching.opened)
    #expect(try fetching.goodbye() == .protocolError)
  }

  @Test func `a file is withdrawn once`() throws {
    let fetching = try Fetching()
    try fetching.open()
    let withdrawn = Message.withdrawn(Withdrawn(handle: FileHandle(1), reason: .changed))
    try fetching.peer.send(withdrawn)
    try fetching.ping()
    try fetching.peer.send(withdrawn)
    #expect(try fetching.goodbye() == .protocolError)
  }

  @Test func `a connection that ends in the midst of an answer gives its blocks back`() throws {
    let fetching = try Fetching()
    try fetching.open()
    try fetching.request(1)
    let header = DataHeader(
      id: RequestID(1), leaves: LeafRange(first: 0, count: 4), isLast: false, leafHashes: fetching.leafHashes,
      byteCount: 65_536)
    try fetching.peer.send(.data(header))
    try fetching.peer.send(frames: [UInt8](repeating: 0, count: 1000))
    for _ in 0..<100 where fetching.connection?.inbound.arriving?.count != 1000 { _ = fetching.loop.turn() }
    #expect(fetching.link.blocks.inUseCount > 0)
    fetching.send(.disconnect(fetching.token, .done, ""))
    #expect(fetching.connection?.isFinishing ?? true, "it only waits for the other end to close")
    #expect(fetching.link.blocks.inUseCount == 0)
  }

  @Test func `a connection whose peer sends no file bytes holds no block`() throws {
    let fetching = try Fetching()
    try fetching.open()
    try fetching.request(1)
    try fetching.ping()
    #expect(fetching.link.blocks.inUseCount == 0, "another connection of the download may need the last one")
  }

  @Test func `a download that opens its content again on a connection gives the first handle back`() throws {
    let fetching = try Fetching()
    try fetching.open()
    fetching.send(.open(fetching.token, ConnectionID(2), fetching.link))
    #expect(try fetching.peer.next() == .close(FileHandle(1)))
    guard case .open(let open)? = try fetching.peer.next() else {
      Issue.record("no OPEN")
      return
    }
    #expect(open.handle == FileHandle(2))
  }

  @Test func `a connection that others use stays when a download gives its content back`() throws {
    let fetching = try Fetching()
    try fetching.open()
    fetching.send(.giveBack(fetching.token, fetching.link.id, closing: nil))
    #expect(try fetching.peer.next() == .close(FileHandle(1)))
    try fetching.ping()
    fetching.send(.giveBack(fetching.token, fetching.link.id, closing: .done))
    #expect(try fetching.goodbye() == .done)
  }

  @Test func `a download that comes to a silent connection learns soon whether the peer is there`() throws {
    let fetching = try Fetching()
    try fetching.open()
    let connection = try #require(fetching.connection)
    fetching.loop.now = fetching.loop.now + .seconds(20)
    connection.open(for: fetching.link, as: ConnectionID(2))
    connection.checkDeadlines()
    #expect(!connection.isClosed && connection.fetches.probedAt != nil)
    fetching.loop.now = fetching.loop.now + ProtocolLimits.probePatience
    connection.checkDeadlines()
    #expect(connection.isClosed)
    let ends = fetching.loop.context.control.takeAll().contains { message in
      if case .connection(_, .ended(.broken, wasEstablished: true, _)) = message { true } else { false }
    }
    #expect(ends)
  }

  @Test func `a download whose output takes nothing gives way to another one on its connection`() throws {
    let fetching = try Fetching()
    try fetching.open()
    let other = Sample("other.bin", byteCount: 70_000, seed: 3)
    let link = DownloadLink(
      fileID: other.fileID, key: FileKey(other.fileID, swarm: nil), on: fetching.loop.context.threads
    ) { _ in }
    fetching.send(.open(fetching.token, ConnectionID(2), link))
    guard case .open(let open)? = try fetching.peer.next() else {
      Issue.record("no OPEN")
      return
    }
    try fetching.peer.offer(other, as: open.handle)
    try fetching.ping()
    try fetching.request(1)
    let whole = other.layout.leaves(of: ChunkIndex(0))
    fetching.send(
      .request(
        fetching.token, link.id,
        FetchRequest(id: RequestID(1), chunk: ChunkIndex(0), leaves: whole, chunkHash: other.tree.root)))
    guard case .request(let request)? = try fetching.peer.next() else {
      Issue.record("no REQUEST")
      return
    }
    // The first download has as many blocks as it may, and its output gives none back.
    while fetching.link.blocks.take() != nil { fetching.link.blocks.handOver(1) }
    let header = DataHeader(
      id: RequestID(1), leaves: LeafRange(first: 0, count: 4), isLast: false, leafHashes: fetching.leafHashes,
      byteCount: 65_536)
    try fetching.peer.send(.data(header))
    let connection = try #require(fetching.connection)
    for _ in 0..<100 where !connection.marks.isStarving { _ = fetching.loop.turn() }
    try #require(connection.marks.isStarving)
    connection.checkDeadlines()
    #expect(connection.fetches.contents.count == 2, "it waits a little")
    fetching.loop.now = fetching.loop.now + NodeLimits.starvingTime
    connection.checkDeadlines()
    #expect(connection.fetches.contents.map(\.handle) == [open.handle] && !connection.marks.isStarving)
    #expect(try fetching.peer.next() == .cancel(RequestID(1)))
    #expect(try fetching.peer.next() == .close(FileHandle(1)))
    // The rest of the first answer was on its way. The second download gets its own.
    try fetching.peer.send(frames: [UInt8](repeating: 0, count: 65_536))
    try fetching.peer.send(each: other.answer(request))
    try fetching.ping()
    let yielded = fetching.loop.context.control.takeAll().contains { message in
      if case .connection(fetching.token, .yielded(fetching.link.id)) = message { true } else { false }
    }
    #expect(yielded && link.blocks.inUseCount > 0)
  }

  @Test func `a peer's own limit of requests in flight reaches the brain`() throws {
    let fetching = try Fetching(payload: HandshakePayload(requestsInFlightMax: 3))
    try fetching.ping()
    let limits = fetching.loop.context.control.takeAll().compactMap { message -> Int? in
      if case .connection(_, .established(_, let requestsMax)) = message { requestsMax } else { nil }
    }
    #expect(limits == [3])
  }
}
