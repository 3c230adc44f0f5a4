// The account of a download: where the time of each answer went, what workers waited for, and the sums of its reports.
import Content
import Testing
import Wire

@testable import Transfer

struct AccountTests {
  private func reports(_ swarm: Swarm, _ isWanted: (DownloadReport) -> Bool) -> Int {
    swarm.reports.count(where: isWanted)
  }

  @Test func `the parts of an answer's time add up to its latency and its wait in the queue`() throws {
    // Sending a chunk takes 20 s. With two requests in flight, the second waits 20 s for the first.
    var swarm = Swarm([.slow(1_048_576 / 20)], layout: ChunkLayout(fileLength: 4 << 20)!)
    swarm.run()
    let stats = try #require(swarm.finished)
    let times = try #require(stats.peers.first).times
    #expect(times.answers == 4)
    #expect(times.firstByte + times.transfer + times.verification + times.writing == times.averageLatency * 4)
    #expect(times.transfer > .seconds(79) && times.transfer < .seconds(81))
    #expect(times.firstByte < .milliseconds(10))
    #expect(times.queue > .seconds(19) && times.queue < .seconds(61))
  }

  @Test func `writing is counted apart from verification, and never exceeds the time after the last byte`() {
    var times = AnswerTimes()
    var request = PendingRequest(
      id: RequestID(1), chunk: ChunkIndex(0), leaves: LeafRange(first: 0, count: 64), worker: 0, sent: .seconds(1),
      isHedge: false)
    request.started = .seconds(3)
    request.began = .seconds(4)
    request.ended = .seconds(7)
    request.lastWrite = .seconds(1)
    times.add(request, at: .seconds(10))
    #expect(times.queue == .seconds(2) && times.firstByte == .seconds(1) && times.transfer == .seconds(3))
    #expect(times.verification == .seconds(2) && times.writing == .seconds(1))
    #expect(times.averageLatency == .seconds(7))
    request.lastWrite = .seconds(100)
    times.add(request, at: .seconds(10))
    #expect(times.verification == .seconds(2) && times.writing == .seconds(4))
  }

  @Test func `the waits of a worker add up to the time of its existence`() throws {
    var settings = DownloadSettings()
    settings.hedges = false
    var swarm = Swarm(
      [VirtualPeer(conduct: .silent)], layout: ChunkLayout(fileLength: 1 << 20)!, settings: settings)
    swarm.run()
    guard case .failed(.outOfRetries, let stats)? = swarm.ending else {
      Issue.record("the download did not fail")
      return
    }
    let waits = try #require(stats.workers.first)
    #expect(stats.workers.count == 1)
    // Each try takes the full timeout. Between two tries, the retry delay runs.
    #expect(waits[.answers] >= .seconds(120))
    let delays = swarm.reports.reduce(Duration.zero) {
      if case .chunkRetry(_, _, _, _, let delay) = $1 { $0 + delay } else { $0 }
    }
    #expect(waits[.retry] == delays)
    #expect(waits.total <= stats.duration && waits.total >= stats.duration - .milliseconds(200))
  }

  @Test func `a worker without a peer waits for peers, and one with a busy peer for busy peers`() throws {
    var swarm = Swarm([VirtualPeer(conduct: .busy(retryAfter: .seconds(2)))], layout: ChunkLayout(fileLength: 1 << 20)!)
    swarm.run(until: .seconds(6))
    let waits = try #require(swarm.state.statistics(at: swarm.now).workers.first)
    #expect(waits[.busyPeers] > .seconds(5))
  }

  @Test func `every hedge and every failure is reported once`() throws {
    var swarm = Swarm(
      [VirtualPeer(), VirtualPeer(), VirtualPeer(silentFrom: .seconds(1)), VirtualPeer(conduct: .liar)])
    swarm.run()
    let stats = try #require(swarm.finished)
    #expect(stats.hedges > 0)
    #expect(reports(swarm) { if case .chunkHedged = $0 { true } else { false } } == stats.hedges)
    #expect(stats.peers.reduce(0) { $0 + $1.hedges } == stats.hedges)
    #expect(stats.peers.reduce(0) { $0 + $1.hedged } == stats.hedges)
    for peer in stats.peers {
      let failures = reports(swarm) { if case .peerFailed(peer.peer, _) = $0 { true } else { false } }
      #expect(failures == peer.failures)
    }
    #expect(stats.peers.filter(\.isBanned).map(\.failures) == [1])
    let bytes = swarm.reports.reduce(0) {
      if case .chunkDone(_, _, _, _, _, _, let bytes) = $1 { $0 + bytes } else { $0 }
    }
    #expect(UInt64(bytes) == stats.bytes)
  }

  @Test func `bytes of a chunk that an earlier download left are not reported as fetched`() throws {
    var swarm = Swarm([VirtualPeer()], layout: ChunkLayout(fileLength: (2 << 20) + 5)!)
    swarm.resumable = Resumable(leaves: [(ChunkIndex(0), 0xFFFF), (ChunkIndex(2), 1)])
    swarm.run()
    let stats = try #require(swarm.finished)
    let bytes = swarm.reports.compactMap {
      if case .chunkDone(let chunk, _, _, _, _, _, let bytes) = $0 { (chunk.rawValue, bytes) } else { nil }
    }.sorted { $0.0 < $1.0 }
    #expect(bytes.map(\.1) == [(1 << 20) - (16 << 14), 1 << 20])
    #expect(stats.bytes == UInt64(bytes.reduce(0) { $0 + $1.1 }))
  }

  @Test func `statistics during a download show the state of every peer`() throws {
    var swarm = Swarm([VirtualPeer(), .slow(1_000_000), VirtualPeer(conduct: .liar)])
    swarm.run(until: .seconds(1))
    let progress = swarm.state.progress(at: swarm.now)
    #expect(progress.peers.count == 3)
    #expect(progress.peers.count { $0.activity == .banned } == 1)
    let sending = progress.peers.filter { if case .sending = $0.activity { true } else { false } }
    #expect(sending.count == 2)
    #expect(sending.allSatisfy { $0.bytesPerSecond > 0 })
    #expect(progress.peers.reduce(0) { $0 + $1.stats.bytes } == progress.bytes)
  }

  @Test(arguments: [
    (VirtualPeer(conduct: .pageless), PeerProgress.Activity.sendingHashes),
    (VirtualPeer(conduct: .busy(retryAfter: .seconds(20))), .busy),
  ])
  func `a peer that owes hashes, or asks to wait, is not idle`(peer: VirtualPeer, activity: PeerProgress.Activity) {
    var swarm = Swarm([peer])
    swarm.run(until: .seconds(2))
    #expect(swarm.state.progress(at: swarm.now).peers.map(\.activity) == [activity])
  }

  @Test func `a lost connection counts as a failure of its peer also where it ends the download`() {
    let layout = ChunkLayout(fileLength: 4 << 20)!
    var settings = DownloadSettings()
    settings.maxRetries = 0
    settings.chunksPerPage = 2
    var state = DownloadState(settings: settings, generator: SeededGenerator(seed: 1), at: .zero)
    var ending: DownloadStats?
    func handle(_ event: DownloadEvent) {
      state.handle(event, at: .zero)
      while let action = state.nextAction() { if case .failed(_, let stats) = action { ending = stats } }
    }
    handle(.addressAdded(address(1), pinned: nil))
    handle(.discoveryFinished)
    handle(.connected(ConnectionID(1), peerID(1)))
    handle(.opened(ConnectionID(1), layout, isComplete: true))
    handle(.storageReady(Resumable()))
    // Now the peer owes a chunk and the second page.
    handle(.pageVerified(PageIndex(0), from: ConnectionID(1)))
    handle(.connectionLost(ConnectionID(1), .closed))
    #expect(ending?.peers.first?.failures == 1)
    #expect(ending?.peers.first?.score == 75)
  }
}
