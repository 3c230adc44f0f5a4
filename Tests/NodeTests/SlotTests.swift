// Connection slots of a server: how many one address or one key can take, and that others still get one.
import Content
import Posix
import TestSupport
import Testing

@testable import PeerNode
@testable import Transfer
@testable import Wire

@Suite struct SlotTests {
  private func serves(_ peer: ScriptedPeer) throws -> Bool {
    guard case .opened(let opened) = try peer.open(Sample.common.fileID), case .opened = opened.outcome else {
      return false
    }
    return try peer.fetch(3, count: 1) == Sample.common.leaves(LeafRange(first: 0, count: 1), of: ChunkIndex(3))
  }

  @Test func `one key gets four connections, and the fifth is refused`() throws {
    let samples = try ServedSamples()
    let identity = StaticIdentity.random()
    let held = try (0..<4).map { _ in try samples.dial(from: 2, as: identity) }
    for _ in 0..<20 {
      #expect(try samples.dial(from: 2, as: identity).receiveGoodbye()?.code == .tooManyConnections)
    }
    #expect(samples.server.figures.connections <= 4)
    #expect(try serves(samples.dial(from: 3)))
    withExtendedLifetime(held) {}
  }

  @Test func `the older of two connections of one key stays if its peer answers`() throws {
    let samples = try ServedSamples()
    let identity = StaticIdentity.random()
    let older = try samples.dial(from: 2, as: identity)
    #expect(try serves(older))
    let newer = try samples.dial(from: 3, as: identity)
    guard case .ping(let number) = try older.receive().message else {
      Issue.record("no PING")
      return
    }
    #expect(try serves(newer), "both are served meanwhile")
    try older.send(.pong(number))
    #expect(try newer.receiveGoodbye()?.code == .duplicateConnection)
    #expect(try older.fetch(2, count: 1).count == 16_384)
  }

  @Test func `a peer that closes the older connection itself keeps the newer one`() throws {
    let samples = try ServedSamples()
    let identity = StaticIdentity.random()
    let older = try samples.dial(from: 2, as: identity)
    let newer = try samples.dial(from: 2, as: identity)
    try older.send(.goodbye(Goodbye(code: .duplicateConnection)))
    #expect(try older.receiveGoodbye() == nil)
    #expect(try serves(newer))
    #expect(samples.server.figures.connections == 1)
  }

  @Test func `connections of one key that both ends declare as several all stay`() throws {
    let samples = try ServedSamples()
    let identity = StaticIdentity.random()
    let peers = try (0..<4).map { _ in
      try samples.dial(from: 2, as: identity, capabilities: .severalConnections)
    }
    for peer in peers { #expect(try serves(peer)) }
    #expect(samples.server.figures.connections == 4)
  }

  @Test func `an address that has taken all places does not keep another out`() throws {
    let samples = try ServedSamples(connectionsMax: 8)
    let held = try (0..<8).map { _ in try samples.dial(from: 2) }
    for last in UInt8(3)..<6 { #expect(try serves(samples.dial(from: last)), "127.0.0.\(last)") }
    // The three oldest connections without an open file are closed.
    for peer in held.prefix(3) { #expect(try peer.receiveGoodbye()?.code == .tooManyConnections) }
    for peer in held.dropFirst(3) {
      try peer.send(.ping(1))
      #expect(try peer.receive().message == .pong(1))
    }
  }

  @Test func `connections in use are displaced last`() throws {
    let samples = try ServedSamples(connectionsMax: 4)
    let used = try (0..<3).map { _ in try samples.client(from: 2) }
    let unused = try samples.dial(from: 2)
    let newcomer = try samples.dial(from: 3)
    #expect(try serves(newcomer))
    #expect(try unused.receiveGoodbye()?.code == .tooManyConnections)
    for peer in used { #expect(try peer.fetch(0, count: 1).count == 16_384) }
    // All slots are taken by used connections. One address has more of them than any other.
    #expect(try serves(samples.dial(from: 4)))
    #expect(try used[2].receiveGoodbye()?.code == .tooManyConnections)
    for peer in used.prefix(2) { #expect(try peer.fetch(1, count: 1).count == 16_384) }
    withExtendedLifetime(newcomer) {}
  }

  @Test func `unlisted peers displace no listed ones`() throws {
    let listed = StaticIdentity.random()
    let other = StaticIdentity.random()
    let samples = try ServedSamples(connectionsMax: 2, allowed: [listed.peerID, other.peerID])
    let peers = try [samples.dial(from: 2, as: listed), samples.dial(from: 2, as: other)]
    for last in UInt8(3)..<8 { #expect(try samples.dial(from: last).receiveGoodbye()?.code == .notAllowed) }
    for peer in peers { #expect(try serves(peer)) }
  }
}
