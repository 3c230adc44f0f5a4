// Downloads that share connections: which download is connected over which one, and when a connection is of no more use.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct SharedConnectionsTests {
  private typealias Use = SharedConnections.Use
  private var connections = SharedConnections(dialledMax: 3)

  private func token(_ number: UInt64) -> ConnectionToken { ConnectionToken(loop: 0, number: number) }
  private func address(_ host: UInt8) -> PeerAddress {
    PeerAddress(ip: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, host], port: 9800)
  }
  private func peer(_ byte: UInt8) -> PeerID { PeerID(digest: Digest(Array(repeating: byte, count: 32))!) }
  private func use(_ download: UInt64, _ id: UInt64 = 1) -> Use { Use(DownloadID(download), ConnectionID(id)) }

  /// Dials under a token that is new.
  private mutating func dial(
    _ host: UInt8, pinned: PeerID? = nil, for use: Use, as number: UInt64
  ) -> SharedConnections.Dialled {
    let token = token(number)
    return connections.dial(address(host), pinned: pinned, for: use, token: token)
  }

  /// The downloads that are connected now.
  private mutating func connected(_ number: UInt64) -> [Use] {
    var uses: [Use] = []
    while let next = connections.nextUse(of: token(number)) { uses.append(next.use) }
    return uses
  }

  @Test mutating func `two downloads of one address share a connection from the dial on`() {
    #expect(dial(1, for: use(1), as: 10) == .dial(token(10)))
    #expect(dial(1, for: use(2), as: 11) == .waits)
    #expect(connected(10) == [], "the handshake is not done")
    let established = connections.established(token(10), peer(7), requestsMax: 32)
    #expect(established == .init(token: token(10), isDuplicate: false))
    #expect(connections.nextUse(of: token(10)) == .init(use: use(1), peer: peer(7), requestsMax: 32))
    #expect(connected(10) == [use(2)])
    #expect(connections.token(of: use(2)) == token(10))
  }

  @Test mutating func `a download that comes later uses the connection that stands`() {
    _ = dial(1, for: use(1), as: 10)
    _ = connections.established(token(10), peer(7), requestsMax: 32)
    #expect(dial(1, for: use(2, 5), as: 11) == .stands(token(10)))
    #expect(dial(1, pinned: peer(7), for: use(3), as: 12) == .stands(token(10)))
    #expect(connected(10) == [use(1), use(2, 5), use(3)])
  }

  @Test mutating func `a dial that expects another peer has a connection of its own`() {
    _ = dial(1, for: use(1), as: 10)
    #expect(dial(1, pinned: peer(8), for: use(2), as: 11) == .dial(token(11)), "the peer there is not known yet")
    _ = connections.established(token(10), peer(7), requestsMax: 32)
    #expect(dial(1, pinned: peer(9), for: use(3), as: 12) == .dial(token(12)))
  }

  @Test mutating func `two addresses of one peer end in one connection`() {
    _ = dial(1, for: use(1), as: 10)
    _ = dial(2, for: use(2), as: 11)
    _ = connections.established(token(10), peer(7), requestsMax: 32)
    let second = connections.established(token(11), peer(7), requestsMax: 64)
    #expect(second == .init(token: token(10), isDuplicate: true))
    #expect(connected(10) == [use(1), use(2)] && connections.token(of: use(2)) == token(10))
    #expect(connections.lost(token(11)) == [], "no download hears of the end of the one too many")
    #expect(connections.lost(token(10)) == [use(1), use(2)])
  }

  @Test mutating func `a content is given back while another download uses the connection`() {
    _ = dial(1, for: use(1), as: 10)
    _ = dial(1, for: use(2), as: 11)
    _ = connections.established(token(10), peer(7), requestsMax: 32)
    _ = connected(10)
    #expect(connections.release(use(1)) == .giveBack(token(10)))
    #expect(connections.release(use(1)) == .nothing, "once")
    #expect(connections.release(use(2)) == .unused(token(10)))
    #expect(dial(1, for: use(1, 2), as: 12) == .dial(token(12)), "the unused one is about to close")
  }

  @Test mutating func `a second name of one download goes without a word`() {
    _ = dial(1, for: use(1, 1), as: 10)
    _ = dial(2, for: use(1, 2), as: 11)
    _ = connections.established(token(10), peer(7), requestsMax: 32)
    _ = connections.established(token(11), peer(7), requestsMax: 32)
    #expect(connections.release(use(1, 2)) == .nothing)
    #expect(connections.token(of: use(1, 1)) == token(10))
    #expect(connections.release(use(1, 1)) == .unused(token(10)))
  }

  @Test mutating func `a handshake that no download waits for any more gives a connection to close`() {
    _ = dial(1, for: use(1), as: 10)
    #expect(connections.release(use(1)) == .unused(token(10)))
    #expect(connections.established(token(10), peer(7), requestsMax: 32) == nil)
    #expect(connections.lost(token(10)) == [] && connections.isEmpty)
  }

  @Test mutating func `a peer that opens a content on a connection that it dialled is fetched from over that`() {
    connections.joined(token(20), peer(7), requestsMax: 16, for: use(1, 1 << 63))
    connections.joined(token(20), peer(7), requestsMax: 16, for: use(2, 1 << 63 | 1))
    _ = dial(1, for: use(3), as: 10)
    #expect(connections.established(token(10), peer(7), requestsMax: 64) == .init(token: token(20), isDuplicate: true))
    #expect(connections.nextUse(of: token(20)) == .init(use: use(3), peer: peer(7), requestsMax: 16))
    #expect(connections.release(use(1, 1 << 63)) == .giveBack(token(20)))
    #expect(connections.lost(token(20)) == [use(2, 1 << 63 | 1), use(3)])
  }

  @Test mutating func `of two connections to a peer the other one is used once the first is lost`() {
    connections.joined(token(20), peer(7), requestsMax: 16, for: use(1, 1 << 63))
    connections.joined(token(21), peer(7), requestsMax: 16, for: use(2, 1 << 63 | 1))
    _ = connections.lost(token(20))
    _ = dial(1, for: use(1), as: 10)
    #expect(connections.established(token(10), peer(7), requestsMax: 64)?.token == token(21))
  }

  @Test mutating func `a dial that needs another cipher goes on under another token`() {
    _ = dial(1, for: use(1), as: 10)
    connections.redial(token(10), as: token(11))
    #expect(connections.token(of: use(1)) == token(11))
    #expect(dial(1, for: use(2), as: 12) == .waits)
    #expect(connections.lost(token(10)) == [])
    #expect(connections.lost(token(11)) == [use(1), use(2)])
  }

  @Test mutating func `more connections than there is room for wait in their order`() {
    for host in 1...3 as ClosedRange<UInt8> { _ = dial(host, for: use(1, UInt64(host)), as: UInt64(host)) }
    for host in 4...6 as ClosedRange<UInt8> {
      #expect(dial(host, for: use(1, UInt64(host)), as: UInt64(host)) == .waits)
    }
    #expect(connections.nextToDial() == nil)
    #expect(connections.release(use(1, 5)) == .nothing, "it was never dialled")
    #expect(connections.lost(token(2)) == [use(1, 2)])
    #expect(connections.nextToDial() == token(4) && connections.nextToDial() == nil)
    #expect(connections.lost(token(1)) == [use(1, 1)])
    #expect(connections.nextToDial() == token(6))
    for number in [3, 4, 6] as [UInt64] { _ = connections.lost(token(number)) }
    #expect(connections.isEmpty)
  }

  @Test mutating func `more contents than a peer takes open wait until another is given back`() {
    for download in 1...66 as ClosedRange<UInt64> { _ = dial(1, for: use(download), as: 10) }
    _ = connections.established(token(10), peer(7), requestsMax: 32)
    #expect(connected(10) == (1...64).map { use($0) })
    #expect(connections.release(use(65)) == .giveBack(token(10)), "one that waits may go as well")
    #expect(connections.release(use(3)) == .giveBack(token(10)))
    #expect(connected(10) == [use(66)])
    #expect(connections.lost(token(10)).count == 64)
  }
}
