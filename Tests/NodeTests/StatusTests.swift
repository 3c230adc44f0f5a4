// What a running server reports about itself.
import Content
import Posix
import Testing
import TestSupport

@testable import PeerNode
@testable import Wire

@Suite struct StatusTests {
  @Test func `the status of a server without connections says what it serves`() throws {
    let samples = try ServedSamples()
    let status = samples.server.status()
    #expect(status.connections.isEmpty)
    #expect(status.files == 2)
    #expect(status.fileBytes == UInt64(Sample.common.bytes.count + Sample.small.bytes.count))
    #expect(!status.isScanning)
    #expect(status.uploadedBytes == 0 && status.connectionsTotal == 0 && status.turnedAwayTotal == 0)
  }

  @Test func `the status of each connection has its peer, its open files and the bytes sent`() throws {
    let samples = try ServedSamples()
    let one = try samples.client()
    let two = try samples.client()
    _ = try two.fetch(0, first: 0, count: 8)
    let status = samples.server.status()
    #expect(status.connections.map(\.openPaths) == [[Sample.common.name], [Sample.common.name]])
    #expect(status.connections.map(\.uploadedBytes) == [0, 8 * 16_384])
    #expect(status.connections.map(\.sendingPath) == [nil, Sample.common.name])
    #expect(Set(status.connections.map(\.peer)).count == 2)
    #expect(Set(status.connections.map(\.id)).count == 2)
    #expect(status.connections.allSatisfy { $0.address.ip == samples.address.ip && $0.duration >= .zero })
    #expect(status.uploadedBytes == 8 * 16_384)
    #expect(status.connectionsTotal == 2)
    withExtendedLifetime((one, two)) {}
  }

  @Test func `an ended connection is counted and no longer listed`() throws {
    let samples = try ServedSamples()
    let peer = try samples.client()
    _ = try peer.fetch(0, first: 0, count: 8)
    samples.server.shutDown(grace: .zero)
    let status = samples.server.status()
    #expect(status.connections.isEmpty)
    #expect(status.connectionsTotal == 1)
    #expect(status.uploadedBytes == 8 * 16_384)
    withExtendedLifetime(peer) {}
  }

  @Test func `a refused peer is counted as turned away`() throws {
    let samples = try ServedSamples(allowed: [StaticIdentity.random().peerID])
    let garbage = try BlockingSocket(dialling: samples.address)
    try garbage.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
    _ = try garbage.receiveToEnd()
    let stranger = try samples.dial()
    #expect(try stranger.receive().0.goodbyeCode == .notAllowed)
    let status = samples.server.status()
    #expect(status.turnedAwayTotal == 2)
    #expect(status.connectionsTotal == 0 && status.connections.isEmpty)
  }

  @Test func `a removed file is no longer among the served ones`() throws {
    let folder = TemporaryFolder()
    let state = TemporaryFolder()
    folder.write("a", [1, 2, 3])
    folder.write("b", [4, 5])
    let server = try Server(
      NodeConfiguration(identity: .random()), folder: folder.path, listen: .loopback(0), stateFolder: state.path)
    defer { server.shutDown(grace: .zero) }
    try server.scan { _ in }
    #expect(server.status().files == 2 && server.status().fileBytes == 5)
    let entry = try #require(server.share.catalogue.entry(at: "a"))
    server.share.catalogue.withdraw(entry)
    #expect(server.status().files == 1 && server.status().fileBytes == 2)
  }
}
