// Peers that share a file with a server receive each other's addresses, and the chunks that others are promised.
import Content
import Posix
import Sodium
import Testing
import TestSupport

@testable import PeerNode
@testable import Wire

@Suite struct ContentSwarmsTests {
  private func reader(of samples: ServedSamples, as identity: StaticIdentity, port: UInt16?) throws -> ScriptedPeer {
    let peer = try ScriptedPeer(dialling: samples.address, as: identity, listenPort: port)
    guard case .opened(let opened) = try peer.open(Sample.common.fileID), case .opened = opened.outcome else {
      throw SocketEnd.endOfStream
    }
    return peer
  }

  private func next<T>(_ peer: ScriptedPeer, _ matches: (Message) -> T?) throws -> T {
    while true { if let match = matches(try peer.receive().message) { return match } }
  }

  @Test func `a peer that opens a file is told of the dialable others, and they are told of it`() throws {
    let samples = try ServedSamples()
    let identities = (0..<3).map { _ in StaticIdentity.random() }
    let first = try reader(of: samples, as: identities[0], port: 4001)
    let second = try reader(of: samples, as: identities[1], port: nil)
    let third = try reader(of: samples, as: identities[2], port: 4003)
    func told(_ peer: ScriptedPeer) throws -> PeerExchange {
      try next(peer) { if case .peers(let peers) = $0 { peers } else { nil } }
    }
    // The peer that does not listen receives addresses, but no other peer receives its address.
    let ip = Endpoint.loopback(0).ip
    let entry = { (i: Int, port: UInt16) in PeerExchange.Entry(ip: ip, port: port, peer: identities[i].peerID) }
    #expect(try told(second).entries == [entry(0, 4001)])
    #expect(try told(third).entries == [entry(0, 4001)])
    #expect(try told(first).entries == [entry(2, 4003)])
  }

  @Test func `a chunk promised to one peer is announced to the others, also to later ones`() throws {
    let samples = try ServedSamples()
    let first = try reader(of: samples, as: .random(), port: 4001)
    let second = try reader(of: samples, as: .random(), port: nil)
    func promised(_ peer: ScriptedPeer) throws -> [ChunkIndex] {
      try next(peer) { if case .promised(let promised) = $0 { promised.chunks } else { nil } }
    }
    _ = try first.fetch(0, count: 64)
    #expect(try promised(second) == [ChunkIndex(0)])
    let third = try reader(of: samples, as: .random(), port: nil)
    #expect(try promised(third) == [ChunkIndex(0)])
  }

  @Test func `a chunk requested by a peer that does not share is not announced`() throws {
    let samples = try ServedSamples()
    let first = try reader(of: samples, as: .random(), port: nil)
    let second = try reader(of: samples, as: .random(), port: 4002)
    _ = try first.fetch(0, count: 64)
    _ = try second.fetch(1, count: 64)
    let third = try reader(of: samples, as: .random(), port: nil)
    let chunks = try next(third) { if case .promised(let promised) = $0 { promised.chunks } else { nil } }
    #expect(chunks == [ChunkIndex(1)])
  }

  @Test func `a chunk promised to a peer that left is promised to no peer`() throws {
    let samples = try ServedSamples()
    let first = try reader(of: samples, as: .random(), port: 4001)
    let second = try reader(of: samples, as: .random(), port: 4002)
    _ = try first.fetch(0, count: 64)
    try first.send(.goodbye(Goodbye(code: .done)))
    _ = samples.event { if case .disconnected = $0 { true } else { false } }
    // If chunk 0 were still promised to another peer, the newcomer would receive that before the answer.
    _ = try second.fetch(0, count: 64)
    let third = try reader(of: samples, as: .random(), port: nil)
    // A single leaf is not a claim.
    _ = try second.fetch(1, count: 1)
    let chunks = try next(third) { if case .promised(let promised) = $0 { promised.chunks } else { nil } }
    #expect(chunks == [ChunkIndex(0)])
  }

  @Test func `a peer that closes a file is promised nothing more, and may open it again`() throws {
    let samples = try ServedSamples()
    let first = try reader(of: samples, as: .random(), port: 4001)
    _ = try first.fetch(0, count: 64)
    try first.send(.close(ScriptedPeer.handle))
    try first.send(.ping(1))
    _ = try next(first) { if case .pong = $0 { true } else { nil } }
    #expect(samples.server.status().connections.map(\.openPaths) == [[]])
    let second = try reader(of: samples, as: .random(), port: nil)
    try second.send(.ping(2))
    while true {
      let message = try second.receive().message
      if case .pong = message { break }
      if case .promised(let promised) = message { Issue.record("\(promised.chunks) are still promised") }
    }
    try first.send(first.openMessage(Sample.common.fileID, handle: FileHandle(8)))
    let opened = try next(first) { if case .opened(let opened) = $0 { opened } else { nil } }
    guard case .opened = opened.outcome else {
      Issue.record("the file cannot be opened again")
      return
    }
    #expect(samples.server.status().connections.map(\.openPaths) == [[Sample.common.name], [Sample.common.name]])
  }
}
