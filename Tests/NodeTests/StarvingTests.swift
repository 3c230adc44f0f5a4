// Several downloads on one connection. One of them has no free block: how long the others wait behind its answers.
import Content
import Posix
import TestSupport
import Testing
import Transfer
import Wire

@testable import PeerNode

@Suite struct StarvingTests {
  private let other = Sample("other.bin", byteCount: 70_000, seed: 3)

  /// Takes all blocks of the first download and never returns them. Then its answer begins.
  private func starve(_ fetching: FetchingLoop) throws -> PeerConnection {
    while fetching.link.blocks.take() != nil { fetching.link.blocks.handOver(1) }
    let header = DataHeader(
      id: RequestID(1), leaves: LeafRange(first: 0, count: 4), isLast: false, leafHashes: fetching.leafHashes,
      byteCount: 65_536)
    try fetching.peer.send(.data(header))
    let connection = try #require(fetching.connection)
    for _ in 0..<100 where !connection.marks.isStarving { _ = fetching.loop.turn() }
    try #require(connection.marks.isStarving)
    return connection
  }

  @Test func `a download whose output takes no bytes gives way to another one on its connection`() throws {
    let fetching = try FetchingLoop()
    try fetching.open()
    let link = fetching.link(of: other)
    let handle = try fetching.ask(for: link, as: ConnectionID(2))
    try fetching.peer.offer(other, as: handle)
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
    let connection = try starve(fetching)
    connection.checkDeadlines()
    #expect(connection.fetches.contents.count == 2, "it waits a little")
    fetching.loop.now = fetching.loop.now + NodeLimits.starvingTime
    connection.checkDeadlines()
    #expect(connection.fetches.contents.map(\.handle) == [handle] && !connection.marks.isStarving)
    #expect(try fetching.peer.next() == .cancel(RequestID(1)))
    #expect(try fetching.peer.next() == .close(FileHandle(1)))
    // The rest of the first answer was in transit. The second download gets its answer.
    try fetching.peer.send(frames: [UInt8](repeating: 0, count: 65_536))
    try fetching.peer.send(each: other.answer(request))
    try fetching.ping()
    let yielded = fetching.loop.context.control.takeAll().contains { message in
      if case .connection(fetching.token, .yielded(fetching.link.id)) = message { true } else { false }
    }
    #expect(yielded && link.blocks.inUseCount > 0)
  }

  enum Due: CaseIterable { case opened, page }

  @Test(arguments: Due.allCases)
  func `a download whose output takes no bytes also gives way to one that awaits OPENED or a page`(_ due: Due) throws {
    let fetching = try FetchingLoop()
    try fetching.open()
    let link = fetching.link(of: other)
    let handle = try fetching.ask(for: link, as: ConnectionID(2))
    if due == .page {
      try fetching.peer.offer(other, as: handle)
      try fetching.ping()
      fetching.send(.fetchPage(fetching.token, link.id, page: 0))
      guard case .pageGet? = try fetching.peer.next() else {
        Issue.record("no PAGE_GET")
        return
      }
    }
    try fetching.request(1)
    let connection = try starve(fetching)
    fetching.loop.now = fetching.loop.now + NodeLimits.starvingTime
    connection.checkDeadlines()
    #expect(connection.fetches.contents.map(\.handle) == [handle] && !connection.marks.isStarving)
  }

  @Test func `a download whose output takes no bytes does not give way to one that waits for nothing`() throws {
    let fetching = try FetchingLoop()
    try fetching.open()
    let handle = try fetching.ask(for: fetching.link(of: other), as: ConnectionID(2))
    try fetching.peer.offer(other, as: handle)
    try fetching.ping()
    try fetching.request(1)
    let connection = try starve(fetching)
    fetching.loop.now = fetching.loop.now + NodeLimits.starvingTime
    connection.checkDeadlines()
    #expect(connection.fetches.contents.count == 2 && connection.marks.isStarving)
  }

  @Test func `the time until a download gives way continues when another one closes its content`() throws {
    let fetching = try FetchingLoop()
    try fetching.open()
    let handle = try fetching.ask(for: fetching.link(of: other), as: ConnectionID(2))
    let third = fetching.link(of: Sample("third.bin", byteCount: 70_000, seed: 4))
    _ = try fetching.ask(for: third, as: ConnectionID(3))
    try fetching.request(1)
    let connection = try starve(fetching)
    let since = try #require(connection.fetches.starving?.since)
    fetching.loop.now = since + (NodeLimits.starvingTime - .milliseconds(1))
    connection.giveBack(for: third.id, closing: .done)
    connection.checkDeadlines()
    #expect(connection.fetches.contents.count == 2 && connection.marks.isStarving)
    fetching.loop.now = since + NodeLimits.starvingTime
    connection.checkDeadlines()
    #expect(connection.fetches.contents.map(\.handle) == [handle] && !connection.marks.isStarving)
  }

  @Test func `a download that cancels its request delays no answer of another one`() throws {
    let fetching = try FetchingLoop()
    try fetching.open()
    let link = fetching.link(of: other)
    let handle = try fetching.ask(for: link, as: ConnectionID(2))
    try fetching.request(1)
    let connection = try starve(fetching)
    fetching.send(.cancel(fetching.token, fetching.link.id, RequestID(1)))
    #expect(connection.fetches.contents.count == 2 && !connection.marks.isStarving)
    try fetching.peer.send(frames: [UInt8](repeating: 0, count: 65_536))
    try fetching.peer.offer(other, as: handle)
    try fetching.ping()
    let isOpen = fetching.loop.context.control.takeAll().contains { message in
      if case .message(link.id, .peer(ConnectionID(2), .opened)) = message { true } else { false }
    }
    #expect(isOpen)
  }
}
