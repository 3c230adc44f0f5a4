// What a server sends first, which peers it puts off, and which never.
import Content
import Posix
import Testing
import TestSupport

@testable import PeerNode
@testable import Wire

@Suite struct TurnsTests {
  private func reader(
    of samples: ServedSamples, port: UInt16?, fileID: FileID = Sample.common.fileID
  ) throws -> ScriptedPeer {
    let peer = try ScriptedPeer(dialling: samples.address, listenPort: port)
    guard case .opened(let opened) = try peer.open(fileID), case .opened = opened.outcome else {
      throw SocketEnd.endOfStream
    }
    return peer
  }

  /// Requests a leaf and returns its bytes. Nil if the answer is BUSY.
  private func ask(_ peer: ScriptedPeer, _ chunk: UInt32) throws -> [UInt8]? {
    try peer.send(peer.requestMessage(chunk, count: 1))
    while true {
      switch try peer.receive() {
      case (.data, let leaves): return leaves
      case (.busy(let busy), _):
        #expect(busy.retryAfterMilliseconds == 100)
        return nil
      default: continue
      }
    }
  }

  private func leaf(_ chunk: UInt32) -> [UInt8] {
    Sample.common.leaves(LeafRange(first: 0, count: 1), of: ChunkIndex(chunk))
  }

  /// Returns a server whose upload is used for half a minute by a reader that was promised chunks 0 to 2 first.
  private func busyServer(port: UInt16?) throws -> (samples: ServedSamples, first: ScriptedPeer) {
    let samples = try ServedSamples(uploadLimit: 500_000)
    let first = try reader(of: samples, port: port)
    try first.send(frames: (0..<15).flatMap { first.requestMessage($0 % 3, count: 64).frame })
    return (samples, first)
  }

  @Test func `a promised chunk is sent later while first copies wait, and other chunks at once`() throws {
    let (samples, first) = try busyServer(port: 4001)
    let second = try reader(of: samples, port: 4002)
    defer { withExtendedLifetime((samples, first)) {} }
    while try ask(second, 0) != nil {}
    #expect(try ask(second, 3) == leaf(3))
    var refusals = 1
    var bytes: [UInt8]?
    while bytes == nil && refusals < 1_000_000 {
      bytes = try ask(second, 0)
      refusals += 1
    }
    #expect(bytes == leaf(0))
  }

  @Test(arguments: [(nil, nil), (nil, 4001), (4002, nil)] as [(UInt16?, UInt16?)])
  func `a peer that does not share is neither put off nor a reason to put off others`(
    port: UInt16?, firstPort: UInt16?
  ) throws {
    let (samples, first) = try busyServer(port: firstPort)
    let second = try reader(of: samples, port: port)
    defer { withExtendedLifetime((samples, first)) {} }
    // This takes more than a second. After a second the server might put a peer off.
    for _ in 0..<16 { #expect(try ask(second, 0) == leaf(0)) }
  }

  @Test func `nine readers of one file do not put off a reader of another`() throws {
    let samples = try ServedSamples(uploadLimit: 2_000_000)
    let readers = try (0..<9).map { i in try reader(of: samples, port: 4001 + UInt16(i)) }
    for peer in readers { try peer.send(frames: (0..<3).flatMap { peer.requestMessage($0, count: 64).frame }) }
    let other = try reader(of: samples, port: 5000, fileID: Sample.small.fileID)
    for _ in 0..<16 { #expect(try ask(other, 0)?.count == 16_384) }
    withExtendedLifetime(readers) {}
  }

  @Test func `eight greedy connections of one address get no more than one of another`() throws {
    let samples = try ServedSamples(uploadLimit: 2_000_000, loopCount: 1)
    let greedy = try (0..<8).map { _ in try samples.client(from: 2) }
    for peer in greedy { try peer.send(frames: (0..<3).flatMap { peer.requestMessage($0, count: 64).frame }) }
    let single = try samples.client(from: 3)
    let before = samples.server.uploadedBytes
    #expect(try single.fetch(0, count: 64).count == 1 << 20)
    // The others received as much, and what was in transit.
    #expect(samples.server.uploadedBytes - before < 5 << 19)
    withExtendedLifetime(greedy) {}
  }

  @Test func `a peer that leaves while it waits for the upload limit is forgotten`() throws {
    let (samples, first) = try busyServer(port: 4001)
    let second = try reader(of: samples, port: nil)
    #expect(try ask(second, 0) == leaf(0))
    try first.send(.goodbye(Goodbye(code: .done)))
    _ = samples.event { if case .disconnected = $0 { true } else { false } }
    #expect(try ask(second, 1) == leaf(1))
  }
}
