// Peers that hold a request and return it without an answer, each time in a way that is not a failure.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct GiveBackTests {
  /// Two strangers claim only the last chunk of a file. One other source is named by the user.
  private func download(
    by way: VirtualPeer.Return, chunks: Int, keepsIdentity: Bool, workers: Int, hold: Duration = .milliseconds(1500)
  ) -> Swarm {
    var settings = DownloadSettings()
    settings.shares = true
    settings.maxWorkers = workers
    let taker = VirtualPeer(
      // Shorter than a peer may be silent.
      conduct: .givesBack(by: way, after: hold), holds: [UInt32(chunks - 1)],
      returnsAfter: .milliseconds(20))
    var takers = [taker, taker]
    for index in takers.indices {
      takers[index].ip = UInt8(100 + index)
      if keepsIdentity { takers[index].identity = UInt8(100 + index) }
    }
    var swarm = Swarm(
      [VirtualPeer()] + takers, layout: ChunkLayout(fileLength: UInt64(chunks) << 20)!, settings: settings)
    swarm.run(until: .seconds(900))
    return swarm
  }

  @Test(arguments: VirtualPeer.Return.allCases, [2, 9, 64])
  func `strangers that pass a chunk among themselves do not keep it from an idle source`(
    _ way: VirtualPeer.Return, chunks: Int
  ) throws {
    for keepsIdentity in [true, false] {
      for workers in [1, 2, 8] {
        let swarm = download(by: way, chunks: chunks, keepsIdentity: keepsIdentity, workers: workers)
        let (finished, isSound) = (swarm.finished, swarm.isWhole && swarm.faults.isEmpty)
        let stats = try #require(finished, "\(workers) workers: \(String(describing: swarm.failure))")
        #expect(isSound && stats.retries == 0)
        // One stranger, or both in turn, may hold the chunk before the source is asked.
        let most = Double(chunks) / 10 * 1.5 + 2 * 1.6 + 0.5
        #expect(stats.duration.inSeconds <= most, "\(workers) workers, \(keepsIdentity): \(stats.duration)")
      }
    }
  }

  @Test func `strangers that refuse a chunk at once, in turn, do not keep it from an idle source`() throws {
    for workers in [1, 2, 8] {
      // Longer than a peer is left alone after BUSY.
      let swarm = download(by: .busy, chunks: 9, keepsIdentity: true, workers: workers, hold: .milliseconds(60))
      let (finished, isSound) = (swarm.finished, swarm.isWhole && swarm.faults.isEmpty)
      let stats = try #require(finished, "\(workers) workers: \(String(describing: swarm.failure))")
      #expect(isSound && stats.retries == 0 && stats.duration.inSeconds < 3, "\(workers) workers: \(stats.duration)")
    }
  }

  @Test func `a peer that gave a chunk back is asked after the others, and its round begins with a failure`() {
    let chunk = FetchItem.chunk(ChunkIndex(0))
    var rounds = RetryRounds()
    rounds.gaveBack(chunk, by: 1, heldFor: .seconds(1))
    #expect(rounds[chunk]?.standing(of: 1) == .failedBefore && rounds[chunk]?.standing(of: 2) == .untried)
    #expect(rounds[chunk]?.members == nil && rounds.underWay.isEmpty)
    rounds.fail(chunk, by: 2, peerID(2), .timeout, .failed, members: [1, 2])
    #expect(!rounds.isOver(chunk) { _ in true })
    #expect(rounds.isOver(chunk) { $0 != 1 })
    let attempts = rounds.end(chunk, costsRetry: true)
    #expect(attempts.retries == 1 && attempts.lastFailure?.peer == peerID(2))
  }

  @Test func `chunks given back at once count from the fifth time on, until the chunk is complete`() {
    let chunk = FetchItem.chunk(ChunkIndex(0))
    var rounds = RetryRounds()
    for _ in 0..<2 {
      for peer in 1...4 { rounds.gaveBack(chunk, by: peer, heldFor: .milliseconds(499)) }
      #expect(rounds.isEmpty)
      rounds.gaveBack(chunk, by: 5, heldFor: .milliseconds(499))
      #expect(rounds[chunk]?.standing(of: 5) == .failedBefore && rounds[chunk]?.standing(of: 4) == .untried)
      rounds.remove(chunk)
    }
  }

  @Test func `the last 64 items given back without a failure are remembered`() {
    func item(_ chunk: Int) -> FetchItem { .chunk(ChunkIndex(UInt32(chunk))) }
    var rounds = RetryRounds()
    for chunk in 0..<2 { rounds.gaveBack(item(chunk), by: 1, heldFor: .seconds(1)) }
    rounds.fail(item(0), by: 2, peerID(2), .timeout, .failed, members: [1, 2])
    rounds.remove(item(1))
    for chunk in 2..<(FailureHistory.returnsMax + 1) { rounds.gaveBack(item(chunk), by: 1, heldFor: .seconds(1)) }
    #expect(rounds.chunks.count == FailureHistory.returnsMax)
    for chunk in 1_000..<2_000 { rounds.gaveBack(item(chunk), by: 1, heldFor: .seconds(1)) }
    // Entries with a failure are kept.
    #expect(rounds[item(0)]?.standing(of: 2) == .failedNow && rounds.chunks.count == FailureHistory.returnsMax + 1)
    #expect(rounds[item(1_935)] == nil && rounds[item(1_936)]?.standing(of: 1) == .failedBefore)
  }

  @Test func `if many items have failures, those of forgotten peers are forgotten, and lost rounds are not`() {
    func item(_ chunk: Int) -> FetchItem { .chunk(ChunkIndex(UInt32(chunk))) }
    var rounds = RetryRounds()
    for chunk in 0..<FailureHistory.forgottenFrom {
      rounds.fail(item(chunk), by: 1, peerID(1), .timeout, .failed, members: [1, 2])
    }
    _ = rounds.end(item(0), costsRetry: false)
    rounds.forget(1)
    #expect(rounds.chunks.count == FailureHistory.forgottenFrom)
    rounds.gaveBack(item(1_000), by: 2, heldFor: .seconds(1))
    rounds.forget(3)
    #expect(rounds.chunks.count == 2 && rounds[item(0)]?.lostRounds == 1)
    #expect(rounds[item(1_000)]?.standing(of: 2) == .failedBefore)
  }

  @Test(arguments: [
    VirtualPeer.Conduct.givesBack(by: .busy, after: .milliseconds(1)),
    .givesBack(by: .done, after: .milliseconds(1)), .closes(at: .request),
  ])
  func `any number of strangers puts only a bounded number of chunks in trouble`(
    _ conduct: VirtualPeer.Conduct
  ) {
    var settings = DownloadSettings()
    settings.shares = true
    var peers = [VirtualPeer()]
    for number in 0..<34 {
      peers.append(VirtualPeer(conduct: conduct, ip: UInt8(100 + number), returnsAfter: .milliseconds(20)))
      if conduct == .givesBack(by: .busy, after: .milliseconds(1)) { peers[number + 1].identity = UInt8(100 + number) }
    }
    var swarm = Swarm(peers, layout: ChunkLayout(fileLength: 4_000 << 20)!, settings: settings)
    swarm.run(until: .seconds(2))
    let (had, inTrouble) = (swarm.state.chunks.haveCount, swarm.state.rounds.chunks.count)
    // Each chunk in trouble costs a check of all peers whenever one is asked.
    #expect(inTrouble <= FailureHistory.forgottenFrom + 34, "\(inTrouble) chunks")
    #expect(had >= 18 && swarm.faults.isEmpty, "\(had) chunks")
  }
}
