// What a download's statistics show: what limited it, and how long the best peer alone would have taken.
import Content
import Testing
import Wire

@testable import Transfer

struct ExplanationTests {
  private func explain(_ swarm: Swarm) throws -> DownloadExplanation {
    DownloadExplanation(try #require(swarm.finished), maxWorkers: 8)
  }

  private func has(_ explanation: DownloadExplanation, _ matches: (DownloadLimit) -> Bool) -> Bool {
    explanation.limits.contains(where: matches)
  }

  @Test func `if peers send all the time, they are the limit`() throws {
    var swarm = Swarm([VirtualPeer(), VirtualPeer(), VirtualPeer(), VirtualPeer()])
    swarm.run()
    let explanation = try explain(swarm)
    guard case .network(let part)? = explanation.limits.first else {
      Issue.record("\(explanation.limits)")
      return
    }
    #expect(part > 0.9)
    #expect(explanation.limits.count == 1)
    // Each peer sends at 10 MiB/s, so the best of four alone takes four times as long.
    let alone = try #require(explanation.bestAlone)
    let ratio = alone.inSeconds / explanation.stats.duration.inSeconds
    #expect(ratio > 3.6 && ratio < 4.2)
    #expect(abs(explanation.stats.peers.reduce(0) { $0 + explanation.share(of: $1) } - 1) < 1e-9)
  }

  @Test func `a straggler and a liar are named`() throws {
    var swarm = Swarm([VirtualPeer(), VirtualPeer(), .slow(500_000), VirtualPeer(conduct: .liar)])
    swarm.run()
    let explanation = try explain(swarm)
    let peers = explanation.stats.peers.map(\.peer)
    #expect(explanation.limits.contains(.slowPeers([peers[2]])))
    #expect(has(explanation) { if case .failingPeers(let failing) = $0 { failing.contains(peers[3]) } else { false } })
  }

  @Test func `waiting for distant peers with little to send is named as the limit`() throws {
    var swarm = Swarm(
      [VirtualPeer(latency: .seconds(2), bytesPerSecond: 1e9)], layout: ChunkLayout(fileLength: 1 << 20)!)
    swarm.run()
    #expect(has(try explain(swarm)) { if case .roundTrips = $0 { true } else { false } })
  }

  @Test func `if peers have no worker, the explanation suggests more workers`() throws {
    var settings = DownloadSettings()
    settings.maxWorkers = 2
    var swarm = Swarm(Array(repeating: VirtualPeer(), count: 6), settings: settings)
    swarm.run()
    let explanation = DownloadExplanation(try #require(swarm.finished), maxWorkers: 2)
    #expect(explanation.limits.contains(.workers(peers: 6)))
  }

  @Test func `a file that was already there needs no explanation`() throws {
    var swarm = Swarm([VirtualPeer()], layout: ChunkLayout(fileLength: 1 << 20)!)
    swarm.resumable = Resumable(leaves: [(ChunkIndex(0), .max)])
    swarm.run()
    let explanation = try explain(swarm)
    #expect(explanation.limits.isEmpty && explanation.best == nil)
  }
}
