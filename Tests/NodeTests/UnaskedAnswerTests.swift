// Hostile sources: they send answers without a request, or close within an answer.
import Content
import Posix
import TestSupport
import Testing
import Transfer
import Wire

@testable import PeerNode

@Suite struct UnaskedAnswerTests {
  @Test func `an unrequested page is refused`() throws {
    let fetching = try FetchingLoop()
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

  @Test func `an unrequested OPENED is refused`() throws {
    let fetching = try FetchingLoop()
    try fetching.ping()
    try fetching.peer.send(fetching.opened)
    #expect(try fetching.goodbye() == .protocolError)
  }

  @Test func `a second WITHDRAWN for a file breaks the protocol`() throws {
    let fetching = try FetchingLoop()
    try fetching.open()
    let withdrawn = Message.withdrawn(Withdrawn(handle: FileHandle(1), reason: .changed))
    try fetching.peer.send(withdrawn)
    try fetching.ping()
    try fetching.peer.send(withdrawn)
    #expect(try fetching.goodbye() == .protocolError)
  }

  @Test func `a connection that ends during an answer gives its blocks back`() throws {
    let fetching = try FetchingLoop()
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
    let fetching = try FetchingLoop()
    try fetching.open()
    try fetching.request(1)
    try fetching.ping()
    #expect(fetching.link.blocks.inUseCount == 0, "another connection of the download may need the last one")
  }

  @Test func `a download that opens its content again on a connection closes the first handle`() throws {
    let fetching = try FetchingLoop()
    try fetching.open()
    fetching.send(.open(fetching.token, ConnectionID(2), fetching.link))
    #expect(try fetching.peer.next() == .close(FileHandle(1)))
    guard case .open(let open)? = try fetching.peer.next() else {
      Issue.record("no OPEN")
      return
    }
    #expect(open.handle == FileHandle(2))
  }

  @Test func `a connection that others use stays when a download closes its content`() throws {
    let fetching = try FetchingLoop()
    try fetching.open()
    fetching.send(.giveBack(fetching.token, fetching.link.id, closing: nil))
    #expect(try fetching.peer.next() == .close(FileHandle(1)))
    try fetching.ping()
    fetching.send(.giveBack(fetching.token, fetching.link.id, closing: .done))
    #expect(try fetching.goodbye() == .done)
  }

  @Test func `a download on a silent connection learns soon whether the peer is there`() throws {
    let fetching = try FetchingLoop()
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

  @Test func `the peer's own limit of requests in flight and its zone reach the download`() throws {
    let fetching = try FetchingLoop(payload: HandshakePayload(requestsInFlightMax: 3, zone: ZoneName("rack1")))
    try fetching.ping()
    var established: [(requestsMax: Int, zone: ZoneName?)] = []
    for message in fetching.loop.context.control.takeAll() {
      guard case .connection(_, .established(_, let requestsMax, let zone)) = message else { continue }
      established.append((requestsMax, zone))
    }
    #expect(established.map(\.requestsMax) == [3] && established.map(\.zone) == [ZoneName("rack1")])
  }
}
