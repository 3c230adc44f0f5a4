// Connections on which a chunk takes many timeouts. A chunk that makes progress has not failed.
import Content
import Testing

@testable import Transfer

@Suite struct SlowConnectionTests {
  private func attempts(_ swarm: Swarm) -> [Int] {
    swarm.reports.compactMap { if case .chunkRetry(_, _, .timeout, let attempt, _) = $0 { attempt } else { nil } }
  }

  @Test func `a slow connection completes a chunk in seven timeouts, as each brings some leaves`() throws {
    // 5 KB/s: a piece takes less than half a timeout. So each try brings one, whatever is still in transit.
    var swarm = Swarm([.slow(1_048_576 / 210)], layout: ChunkLayout(fileLength: 2 << 20)!)
    swarm.run()
    let finished = swarm.finished
    let stats = try #require(finished)
    let isWhole = swarm.isWhole
    #expect(isWhole && stats.failedChunks == 0 && stats.duplicateBytes == 0)
    #expect(stats.retries >= 12 && stats.bytes == 2 << 20)
    let attempts = attempts(swarm)
    #expect(attempts.allSatisfy { $0 == 1 }, "\(attempts)")
  }

  @Test func `only consecutive retries without any leaf fail a chunk`() {
    let peer = VirtualPeer(conduct: .stalls(afterLeaves: 4), silentFrom: .seconds(100))
    var swarm = Swarm([peer], layout: ChunkLayout(fileLength: 1 << 20)!)
    swarm.run()
    let failure = swarm.failure
    #expect(failure == .outOfRetries(ChunkIndex(0)))
    // Four tries bring leaves. The last of them counts as the first that failed.
    let attempts = attempts(swarm)
    #expect(attempts == [1, 1, 1, 1, 2, 3])
  }
}
