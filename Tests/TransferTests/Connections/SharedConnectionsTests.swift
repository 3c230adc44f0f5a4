// Downloads that share connections: which connection each download uses, and when a connection is no longer needed.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct SharedConnectionsTests {
  private typealias Use = SharedConnections.Use
  private var connections = SharedConnections(dialledMax: 3)
  private let now = Instant.zero

  private func token(_ number: UInt64) -> ConnectionToken { ConnectionToken(loop: 0, number: number) }
  private func address(_ host: UInt8) -> PeerAddress {
    PeerAddress(ip: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, host], port: 9800)
  }
  private func peer(_ byte: UInt8) -> PeerID { PeerID(digest: Digest(Array(repeating: byte, count: 32))!) }
  private func use(_ download: UInt64, _ id: UInt64 = 1) -> Use { Use(DownloadID(download), ConnectionID(id)) }

  /// Dials with a new token.
  private mutating func dial(
    _ host: UInt8, pinned: PeerID? = nil, for use: Use, as number: UInt64
  ) -> SharedConnections.Dialled {
    let token = token(number)
    return connections.dial(address(host), pinned: pinned, for: use, token: token, at: now)
  }

  /// Returns the downloads that are connected now.
  private mutating func connected(_ number: UInt64) -> [Use] {
    var uses: [Use] = []
    while let next = connections.nextUse(of: token(number)) { uses.append(next.use) }
    return uses
  }

  @Test mutating func `two downloads from one address share a connection from the dial on`() {
    #expect(dial(1, for: use(1), as: 10) == .dial(token(10)))
    #expect(dial(1, for: use(2), as: 11) == .waits)
    #expect(connected(10) == [], "the handshake is not done")
    let established = connections.established(token(10), peer(7), requestsMax: 32)
    #expect(established == .init(token: token(10), isDuplicate: false))
    #expect(connections.nextUse(of: token(10)) == .init(use: use(1), peer: peer(7), requestsMax: 32))
    #expect(connected(10) == [use(2)])
    #expect(connections.token(of: use(2)) == token(10))
  }

  @Test mutating func `a later download uses the existing connection`() {
    _ = dial(1, for: use(1), as: 10)
    _ = connections.established(token(10), peer(7), requestsMax: 32)
    #expect(dial(1, for: use(2, 5), as: 11) == .stands(token(10)))
    #expect(dial(1, pinned: peer(7), for: use(3), as: 12) == .stands(token(10)))
    #expect(connected(10) == [use(1), use(2, 5), use(3)])
  }

  @Test mutating func `a dial that expects another PeerID gets a connection of its own`() {
    _ = dial(1, for: use(1), as: 10)
    #expect(dial(1, pinned: peer(8), for: use(2), as: 11) == .dial(token(11)), "the peer there is not known yet")
    _ = connections.established(token(10), peer(7), requestsMax: 32)
    #expect(dial(1, pinned: peer(9), for: use(3), as: 12) == .dial(token(12)))
  }

  @Test mutating func `two addresses of one peer lead to one connection`() {
    _ = dial(1, for: use(1), as: 10)
    _ = dial(2, for: use(2), as: 11)
    _ = connections.established(token(10), peer(7), requestsMax: 32)
    let second = connections.established(token(11), peer(7), requestsMax: 64)
    #expect(second == .init(token: token(10), isDuplicate: true))
    #expect(connected(10) == [use(1), use(2)] && connections.token(of: use(2)) == token(10))
    #expect(
      connections.lost(token(11), isOwnDoing: false).told == [], "no download hears of the end of the one too many")
    connections.opened(use(2))
    #expect(connections.lost(token(10), isOwnDoing: false).told == [use(1), use(2)])
  }

  @Test mutating func `a content is given back while another download uses the connection`() {
    _ = dial(1, for: use(1), as: 10)
    _ = dial(1, for: use(2), as: 11)
    _ = connections.established(token(10), peer(7), requestsMax: 32)
    _ = connected(10)
    #expect(connections.release(use(1), forgets: true) == .giveBack(token(10)))
    #expect(connections.release(use(1), forgets: true) == .nothing, "once")
    #expect(connections.release(use(2), forgets: true) == .unused(token(10)))
    #expect(dial(1, for: use(1, 2), as: 12) == .dial(token(12)), "the unused one is about to close")
  }

  @Test mutating func `the second use of a connection by one download ends without a message`() {
    _ = dial(1, for: use(1, 1), as: 10)
    _ = dial(2, for: use(1, 2), as: 11)
    _ = connections.established(token(10), peer(7), requestsMax: 32)
    _ = connections.established(token(11), peer(7), requestsMax: 32)
    #expect(connections.release(use(1, 2), forgets: true) == .nothing)
    #expect(connections.token(of: use(1, 1)) == token(10))
    #expect(connections.release(use(1, 1), forgets: true) == .unused(token(10)))
  }

  @Test mutating func `a handshake that no download waits for gives a connection to close`() {
    _ = dial(1, for: use(1), as: 10)
    #expect(connections.release(use(1), forgets: true) == .unused(token(10)))
    #expect(connections.established(token(10), peer(7), requestsMax: 32) == nil)
    #expect(connections.lost(token(10), isOwnDoing: false).told == [] && connections.isEmpty)
  }

  @Test mutating func `a peer that opens a content on a connection that it dialled is fetched from over it`() {
    connections.joined(token(20), peer(7), requestsMax: 16, for: use(1, 1 << 63))
    connections.joined(token(20), peer(7), requestsMax: 16, for: use(2, 1 << 63 | 1))
    _ = dial(1, for: use(3), as: 10)
    #expect(connections.established(token(10), peer(7), requestsMax: 64) == .init(token: token(20), isDuplicate: true))
    #expect(connections.nextUse(of: token(20)) == .init(use: use(3), peer: peer(7), requestsMax: 16))
    #expect(connections.release(use(1, 1 << 63), forgets: true) == .giveBack(token(20)))
    #expect(
      connections.lost(token(20), isOwnDoing: false) == .init(told: [use(2, 1 << 63 | 1)], redialled: [use(3)]))
  }

  @Test mutating func `if one of two connections to a peer is lost, the other one is used`() {
    connections.joined(token(20), peer(7), requestsMax: 16, for: use(1, 1 << 63))
    connections.joined(token(21), peer(7), requestsMax: 16, for: use(2, 1 << 63 | 1))
    _ = connections.lost(token(20), isOwnDoing: false).told
    _ = dial(1, for: use(1), as: 10)
    #expect(connections.established(token(10), peer(7), requestsMax: 64)?.token == token(21))
  }

  @Test mutating func `a dial that is repeated with another cipher continues under another token`() {
    _ = dial(1, for: use(1), as: 10)
    connections.rename(token(10), to: token(11))
    #expect(connections.token(of: use(1)) == token(11))
    #expect(dial(1, for: use(2), as: 12) == .waits)
    #expect(connections.lost(token(10), isOwnDoing: false).told == [])
    #expect(connections.lost(token(11), isOwnDoing: false).told == [use(1), use(2)])
  }

  @Test mutating func `dials beyond the room for connections wait in order`() {
    for host in 1...3 as ClosedRange<UInt8> { _ = dial(host, for: use(1, UInt64(host)), as: UInt64(host)) }
    for host in 4...6 as ClosedRange<UInt8> {
      #expect(dial(host, for: use(1, UInt64(host)), as: UInt64(host)) == .waits)
    }
    #expect(connections.nextToDial() == nil)
    #expect(connections.release(use(1, 5), forgets: true) == .nothing, "it was never dialled")
    #expect(connections.lost(token(2), isOwnDoing: false).told == [use(1, 2)])
    #expect(connections.nextToDial() == token(4) && connections.nextToDial() == nil)
    #expect(connections.lost(token(1), isOwnDoing: false).told == [use(1, 1)])
    #expect(connections.nextToDial() == token(6))
    for number in [3, 4, 6] as [UInt64] { _ = connections.lost(token(number), isOwnDoing: false).told }
    #expect(connections.isEmpty)
  }

  @Test mutating func `a download on a shared connection that ends before its OPEN is answered dials for itself`() {
    _ = dial(1, for: use(1), as: 10)
    _ = connections.established(token(10), peer(7), requestsMax: 32)
    _ = dial(1, for: use(2), as: 11)
    _ = dial(1, for: use(3), as: 12)
    #expect(connected(10) == [use(1), use(2), use(3)])
    connections.opened(use(3))
    let lost = connections.lost(token(10), isOwnDoing: false)
    #expect(lost == .init(told: [use(1), use(3)], redialled: [use(2)]))
    let fresh = token(13)
    #expect(connections.redial(use(2), token: fresh, at: now) == .dial(token(13)))
    #expect(connections.lost(token(13), isOwnDoing: false).told == [use(2)], "a dial of its own that fails has failed")
    #expect(connections.isEmpty)
  }

  @Test mutating func `if this node ends a dial for one download, the dial is repeated for the others`() {
    _ = dial(1, for: use(1), as: 10)
    #expect(connections.release(use(1), forgets: false) == .unused(token(10)))
    #expect(dial(1, for: use(2), as: 11) == .waits, "the node may still be dialling")
    #expect(connections.lost(token(10), isOwnDoing: true) == .init(told: [], redialled: [use(2)]))
    let fresh = token(12)
    #expect(connections.redial(use(2), token: fresh, at: now) == .dial(token(12)))
  }

  @Test mutating func `a connection that the peer still uses is used again`() {
    _ = dial(1, for: use(1), as: 10)
    _ = connections.established(token(10), peer(7), requestsMax: 32)
    _ = connected(10)
    #expect(connections.release(use(1), forgets: false) == .unused(token(10)))
    #expect(dial(1, for: use(2), as: 11) == .stands(token(10)))
    #expect(connected(10) == [use(2)])
  }

  @Test mutating func `while dials wait for room, a connection that no download uses must go`() {
    for host in 1...3 as ClosedRange<UInt8> {
      _ = dial(host, for: use(1, UInt64(host)), as: UInt64(host))
      _ = connections.established(token(UInt64(host)), peer(host), requestsMax: 32)
      _ = connected(UInt64(host))
    }
    #expect(connections.release(use(1, 2), forgets: false) == .unused(token(2)))
    #expect(connections.inTheWay == nil, "there is room")
    #expect(dial(4, for: use(2), as: 4) == .waits)
    #expect(connections.inTheWay == token(2))
    _ = connections.lost(token(2), isOwnDoing: true)
    #expect(connections.inTheWay == nil && connections.nextToDial() == token(4))
  }

  @Test mutating func `the download with the fewest connections dials first, and no dial waits for ever`() {
    for host in 1...3 as ClosedRange<UInt8> {
      _ = dial(host, for: use(1, UInt64(host)), as: UInt64(host))
      _ = connections.established(token(UInt64(host)), peer(host), requestsMax: 32)
      _ = connected(UInt64(host))
    }
    _ = dial(4, for: use(1, 4), as: 4)
    _ = dial(5, for: use(2, 1), as: 5)
    _ = connections.lost(token(1), isOwnDoing: false)
    #expect(connections.nextToDial() == token(5))
    #expect(connections.deadline == now + SharedConnections.waitMax)
    #expect(connections.expire(at: now + (SharedConnections.waitMax - .milliseconds(1))) == nil)
    #expect(connections.expire(at: now + SharedConnections.waitMax) == [use(1, 4)])
    #expect(connections.expire(at: now + SharedConnections.waitMax) == nil && connections.deadline == nil)
  }

  @Test mutating func `contents beyond the limit of a peer wait until another one is given back`() {
    for download in 1...66 as ClosedRange<UInt64> { _ = dial(1, for: use(download), as: 10) }
    _ = connections.established(token(10), peer(7), requestsMax: 32)
    #expect(connected(10) == (1...64).map { use($0) })
    #expect(connections.release(use(65), forgets: true) == .giveBack(token(10)), "one that waits may go as well")
    #expect(connections.release(use(3), forgets: true) == .giveBack(token(10)))
    #expect(connected(10) == [use(66)])
    #expect(connections.lost(token(10), isOwnDoing: false).redialled.count == 63, "all but the one that dialled")
  }
}
