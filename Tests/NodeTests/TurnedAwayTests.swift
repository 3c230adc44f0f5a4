// What a server without free slots sends to a newcomer before GOODBYE.
import Content
import Posix
import TestSupport
import Testing

@testable import PeerNode
@testable import Wire

@Suite struct TurnedAwayTests {
  @Test func `a peer that a full server turns away is first told of other peers that have the file`() throws {
    let samples = try ServedSamples(connectionsMax: 1)
    let first = try ScriptedPeer(dialling: samples.address, listenPort: 4001)
    _ = try first.open(Sample.common.fileID)
    for _ in 0..<3 {
      let second = try samples.dial()
      try second.send(second.openMessage(Sample.common.fileID))
      var told: [Message] = []
      while let message = try? second.receive().message { told.append(message) }
      guard told.count >= 3, case .opened = told[0], case .goodbye(let goodbye) = told.last else {
        Issue.record("\(told)")
        return
      }
      #expect(goodbye.code == .tooManyConnections)
      let ports = told.flatMap { if case .peers(let peers) = $0 { peers.entries.map(\.port) } else { [UInt16]() } }
      #expect(ports == [4001])
    }
    #expect(try first.fetch(3, count: 1).count == 16_384)
  }

  @Test func `a peer that a full server turns away fetches the file from the others`() throws {
    let samples = try ServedSamples()
    let first = try SharingGetter(from: [samples.address], stay: .untilCancelled)
    _ = try #require(first.update { if case .staying = $0 { true } else { false } })
    // A peer with the first download's identity takes the only slot of another source.
    let full = try ServedSamples(connectionsMax: 1)
    let taker = try ScriptedPeer(dialling: full.address, as: first.identity, listenPort: first.address.port)
    _ = try taker.open(Sample.common.fileID)
    let second = try SharingGetter(from: [full.address])
    _ = try second.ended()
    #expect(second.folder.read(Sample.common.name) == Sample.common.bytes)
    withExtendedLifetime((taker, full)) {}
  }
}
