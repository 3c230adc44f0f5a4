// The rules of a download, event by event and exact to the nanosecond.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct DownloadStateTests {
  let small = ChunkLayout(fileLength: 8 << 20)!

  func requests(_ swarm: Swarm) -> [(
    at: Instant, connection: ConnectionID, chunk: ChunkIndex, leaves: LeafRange
  )] {
    swarm.log.compactMap {
      if case .request(let id, _, let chunk, let leaves, _) = $0.action {
        ($0.at, id, chunk, leaves)
      } else {
        nil
      }
    }
  }

  @Test func `a new peer has one chunk in flight until its first chunk verifies`() {
    var swarm = Swarm([VirtualPeer()])
    swarm.run(until: .milliseconds(103))
    #expect(requests(swarm).count == 1)
    swarm.resume(until: .milliseconds(110))
    // 10 MiB/s for two seconds are 20 chunks, but the limit is 16.
    #expect(requests(swarm).count == 17)
    #expect(swarm.deepest[ConnectionID(1)] == 16)
  }

  @Test func `a retry goes to the best idle peer`() {
    var settings = DownloadSettings()
    settings.hedges = false
    let silent = VirtualPeer(conduct: .silent)
    var swarm = Swarm([silent, silent, VirtualPeer()], layout: ChunkLayout(fileLength: 3 << 20)!, settings: settings)
    swarm.run()
    // Both silent peers hold a chunk for 2 s. Neither of them gets the other's chunk.
    #expect(requests(swarm).first { $0.at > .seconds(2) }?.connection == ConnectionID(3))
  }

  @Test func `a slow peer has two chunks in flight`() {
    var swarm = Swarm([.slow(262_144)], layout: ChunkLayout(fileLength: 100 << 20)!)
    swarm.run(until: .seconds(30))
    #expect(swarm.deepest[ConnectionID(1)] == 2)
  }

  @Test func `the peer's own limit of requests in flight is kept`() {
    var state = DownloadState(settings: DownloadSettings(), generator: SeededGenerator(seed: 1), at: .zero)
    state.handle(.addressAdded(address(1), pinned: nil), at: .zero)
    state.handle(.connected(ConnectionID(1), peerID(1), requestsMax: 3), at: .zero)
    state.handle(.opened(ConnectionID(1), ChunkLayout(fileLength: 100 << 20)!, isComplete: true), at: .zero)
    state.handle(.storageReady(Resumable(pages: [PageIndex(0)])), at: .zero)
    state.handle(
      .leavesVerified(ConnectionID(1), RequestID(1), ChunkIndex(0), LeafRange(first: 0, count: 64)),
      at: .milliseconds(10))
    var asked = 0
    while let action = state.nextAction() { if case .request = action { asked += 1 } }
    #expect(asked == 4)
  }

  @Test func `a chunk times out at exactly 30 s, is cancelled and keeps its verified leaves`() throws {
    var settings = DownloadSettings()
    settings.hedges = false
    var swarm = Swarm(
      [VirtualPeer(conduct: .stalls(afterLeaves: 8))], layout: ChunkLayout(fileLength: 1 << 20)!, settings: settings)
    swarm.run(until: .seconds(31))
    let sent = requests(swarm)
    #expect(sent[0].at == .milliseconds(3) && sent[0].leaves == LeafRange(first: 0, count: 64))
    #expect(swarm.times { if case .cancel = $0 { true } else { false } } == [.milliseconds(30_003)])
    guard
      case .chunkRetry(let chunk, let peer, .timeout, 1, let delay)? = swarm.reports.first(where: {
        if case .chunkRetry = $0 { true } else { false }
      })
    else {
      Issue.record("no retry")
      return
    }
    #expect(chunk == ChunkIndex(0) && peer == peerID(1))
    #expect(delay >= .milliseconds(400) && delay <= .milliseconds(600))
    // Only the rest is requested, and the leaf hashes are already known.
    let retry = try #require(sent.first { $0.chunk == chunk && $0.at > .seconds(30) })
    #expect(retry.at == Instant.milliseconds(30_003) + delay)
    #expect(retry.leaves == LeafRange(first: 8, count: 56))
  }

  @Test func `a chunk that fails after three retries ends the download`() {
    var swarm = Swarm([VirtualPeer(conduct: .silent)], layout: ChunkLayout(fileLength: 1 << 20)!)
    swarm.run()
    #expect(swarm.failure == .outOfRetries(ChunkIndex(0)))
    let retries = swarm.reports.compactMap { report -> (Int, Duration)? in
      if case .chunkRetry(_, _, _, let attempt, let delay) = report { (attempt, delay) } else { nil }
    }
    #expect(retries.map(\.0) == [1, 2, 3])
    let waited = retries.reduce(.zero) { $0 + $1.1 }
    #expect(swarm.now == Instant.milliseconds(3) + .seconds(120) + waited)
    guard case .failed(_, let stats)? = swarm.ending else {
      Issue.record("the download did not fail: \(swarm.ending as Any)")
      return
    }
    #expect(stats.failedChunks == 1 && stats.retries == 3 && stats.peers[0].score == 0 && stats.peers[0].failures == 4)
  }

  @Test func `the clock of a chunk starts at the last byte of the previous answer`() throws {
    // Each chunk takes 20 s. With two in flight, the second is verified 40 s after its request.
    var swarm = Swarm([.slow(1_048_576 / 20)], layout: ChunkLayout(fileLength: 4 << 20)!)
    swarm.run()
    let stats = try #require(swarm.finished)
    #expect(stats.retries == 0)
    let latencies = swarm.reports.compactMap {
      if case .chunkDone(_, _, _, _, _, let latency, _) = $0 { latency } else { nil }
    }
    #expect(latencies.count == 4)
    for latency in latencies { #expect(latency > .seconds(19.9) && latency < .seconds(20.1)) }
  }

  @Test func `a retry goes to another peer if one has the chunk`() throws {
    var settings = DownloadSettings()
    settings.hedges = false
    settings.maxWorkers = 1
    var swarm = Swarm([VirtualPeer(conduct: .silent), VirtualPeer()], layout: small, settings: settings)
    swarm.run()
    #expect(swarm.finished != nil)
    let first = requests(swarm).filter { $0.chunk == ChunkIndex(0) }
    #expect(first.map(\.connection) == [ConnectionID(1), ConnectionID(2)])
  }

  @Test func `right after a failure a worker goes to the next peer of its set`() {
    var settings = DownloadSettings()
    settings.hedges = false
    settings.maxWorkers = 1
    var swarm = Swarm(
      [VirtualPeer(conduct: .stalls(afterLeaves: 4)), VirtualPeer(), VirtualPeer()], layout: small, settings: settings)
    swarm.run()
    #expect(requests(swarm).prefix(2).map(\.connection) == [ConnectionID(1), ConnectionID(2)])
  }

  @Test func `a lost connection spends a retry only for the first chunk in its queue`() {
    var swarm = Swarm([VirtualPeer(lostAt: .seconds(1))])
    swarm.run(until: .seconds(2))
    let retried = swarm.reports.compactMap { report -> ChunkIndex? in
      if case .chunkRetry(let chunk, _, .connectionLost(.reset), 1, _) = report { chunk } else { nil }
    }
    #expect(retried.count == 1)
    #expect(swarm.deepest[ConnectionID(1)]! > 8)
  }

  @Test func `if every peer is gone, the download ends 30 s after the last one was lost`() {
    var swarm = Swarm([
      VirtualPeer(lostAt: .seconds(1), away: .milliseconds(500)..<(.seconds(900))),
      VirtualPeer(lostAt: .seconds(2), away: .milliseconds(500)..<(.seconds(900))),
    ])
    swarm.run()
    guard case .noPeers(let addresses)? = swarm.failure else {
      Issue.record("\(String(describing: swarm.failure))")
      return
    }
    #expect(swarm.now == .seconds(32))
    #expect(addresses.map(\.outcome) == [.dialFailed(.refused), .dialFailed(.refused)])
  }

  @Test func `a lost peer is dialled again after 1, 2, 4 and 8 s`() throws {
    var swarm = Swarm([VirtualPeer(lostAt: .seconds(1), away: .milliseconds(500)..<(.seconds(10)))])
    swarm.run()
    #expect(swarm.finished != nil && swarm.isWhole)
    let dials = swarm.times { if case .dial = $0 { true } else { false } }
    // Each delay starts when the previous dial was refused, a millisecond after it began.
    #expect(dials == [.zero, .seconds(2), .milliseconds(4_001), .milliseconds(8_002), .milliseconds(16_003)])
    #expect(try #require(swarm.finished).peers.count == 1)
  }

  @Test func `if no address answers, the download ends at once with the reason of each`() {
    var swarm = Swarm([VirtualPeer(conduct: .down(.refused)), VirtualPeer(conduct: .down(.timedOut))])
    swarm.run()
    #expect(
      swarm.failure
        == .unreachable([
          AddressReport(address: swarm.address(of: 0), outcome: .dialFailed(.refused)),
          AddressReport(address: swarm.address(of: 1), outcome: .dialFailed(.timedOut)),
        ]))
    #expect(swarm.now == .milliseconds(1))
    #expect(swarm.log.count { if case .dial = $0.action { true } else { false } } == 2)
  }

  @Test func `a start without success fails with notFound, notAdmitted, everyPeerLied or noPeers`() throws {
    func failure(_ conducts: VirtualPeer.Conduct...) -> DownloadFailure? {
      var swarm = Swarm(conducts.map { VirtualPeer(conduct: $0) })
      swarm.run(until: .seconds(1))
      return swarm.failure
    }
    func expect(
      _ failure: DownloadFailure?, at location: SourceLocation = #_sourceLocation, _ matches: (DownloadFailure) -> Bool
    ) throws {
      #expect(matches(try #require(failure, sourceLocation: location)), "\(failure!)", sourceLocation: location)
    }
    try expect(failure(.down(.refused), .refuses(.noSuchFile))) { if case .notFound = $0 { true } else { false } }
    try expect(failure(.down(.refused), .down(.notAdmitted))) { if case .notAdmitted = $0 { true } else { false } }
    try expect(failure(.liar, .liar)) { if case .everyPeerLied = $0 { true } else { false } }
    try expect(failure()) { if case .noPeers([]) = $0 { true } else { false } }
  }

  @Test func `no download ends before all addresses of its start are known`() {
    var state = DownloadState(settings: DownloadSettings(), generator: SeededGenerator(seed: 1), at: .zero)
    state.handle(.addressAdded(address(1), pinned: nil), at: .zero)
    state.handle(.dialFailed(ConnectionID(1), .refused), at: .milliseconds(1))
    #expect(!state.isEnded)
    state.handle(.discoveryFinished, at: .milliseconds(500))
    #expect(state.isEnded)
  }

  @Test func `an OPEN without an answer fails after 30 s`() {
    var swarm = Swarm([VirtualPeer(conduct: .mute)])
    swarm.run()
    #expect(swarm.failure == .unreachable([AddressReport(address: swarm.address(of: 0), outcome: .silent)]))
    #expect(swarm.now == .milliseconds(30_001))
  }

  @Test func `a page that an unproven peer does not send within 2 s is asked of another peer`() {
    var swarm = Swarm([VirtualPeer(conduct: .pageless), VirtualPeer()], layout: small)
    swarm.run()
    let pages = swarm.log.compactMap { record -> (Instant, ConnectionID)? in
      if case .fetchPage(_, let id) = record.action { (record.at, id) } else { nil }
    }
    #expect(pages.map(\.0) == [.milliseconds(2), .milliseconds(2_002)])
    #expect(pages.map(\.1) == [ConnectionID(1), ConnectionID(2)])
    #expect(swarm.finished != nil)
  }

  @Test func `a page that no peer sends ends the download after its retries`() {
    var swarm = Swarm([VirtualPeer(conduct: .pageless)], layout: small)
    swarm.run()
    #expect(swarm.failure == .pageOutOfRetries(PageIndex(0)))
  }

  @Test func `the second connection to one peer is closed, and its address is used after a loss`() {
    var swarm = Swarm([
      VirtualPeer(lostAt: .seconds(1), away: .milliseconds(500)..<(.seconds(900)), identity: 9),
      VirtualPeer(latency: .milliseconds(2), identity: 9),
    ])
    swarm.run()
    #expect(swarm.log.contains { $0.action == .disconnect(ConnectionID(2), .duplicate) })
    #expect(swarm.finished?.peers.count == 1)
    #expect(swarm.isWhole)
  }

  @Test func `a banned peer is not accepted from another address`() {
    var swarm = Swarm([
      VirtualPeer(conduct: .liar, identity: 9), VirtualPeer(latency: .milliseconds(50), identity: 9), VirtualPeer(),
    ])
    swarm.run()
    #expect(swarm.log.contains { $0.action == .disconnect(ConnectionID(2), .banned) })
    #expect(swarm.finished?.peers.first { $0.peer == peerID(9) }?.bytes == 0)
  }

  @Test func `after two lies from one address its unproven peers are tried last`() {
    var settings = DownloadSettings()
    settings.maxWorkers = 1
    var peers = [VirtualPeer(conduct: .liar, ip: 77), VirtualPeer(conduct: .liar, ip: 77)]
    peers.append(VirtualPeer(latency: .milliseconds(1), ip: 77))
    peers.append(VirtualPeer(latency: .milliseconds(1)))
    var swarm = Swarm(peers, settings: settings)
    swarm.run()
    #expect(swarm.finished?.peers.first { $0.peer == peerID(3) }?.chunks == 0)
    #expect(swarm.finished?.peers.first { $0.peer == peerID(4) }?.chunks == 100)
  }

  @Test func `a resumed chunk counts as finished and gets no log line`() throws {
    var swarm = Swarm([VirtualPeer()], layout: small)
    swarm.resumable = Resumable(
      pages: [PageIndex(0)],
      leaves: [(ChunkIndex(0), .max), (ChunkIndex(3), .max), (ChunkIndex(5), 0b1111_0000), (ChunkIndex(99), .max)])
    swarm.run()
    let stats = try #require(swarm.finished)
    #expect(stats.resumedChunks == 2 && stats.downloadedChunks == 6 && stats.bytes == 6 << 20 - 4 * 16384)
    let lines = swarm.reports.compactMap {
      if case .chunkDone(_, _, let finished, _, _, _, _) = $0 { finished } else { nil }
    }
    #expect(lines == [3, 4, 5, 6, 7, 8])
    // One request spans the four leaves that are there. They arrive again and are not written.
    #expect(requests(swarm).filter { $0.chunk == ChunkIndex(5) }.map(\.leaves) == [LeafRange(first: 0, count: 64)])
    #expect(stats.gapBytes == 4 * 16384 && stats.duplicateBytes == 0)
    #expect(!swarm.log.contains { if case .fetchPage = $0.action { true } else { false } })
  }

  @Test func `reports of chunks wait for the start report, requests do not`() throws {
    // The third peer's dial takes a second to fail. So the start is reported 100 ms after the first manifest.
    var swarm = Swarm([
      VirtualPeer(bytesPerSecond: 100 * 1_048_576), VirtualPeer(latency: .milliseconds(20)),
      VirtualPeer(conduct: .down(.timedOut), latency: .seconds(1)),
    ])
    swarm.run()
    let reports = swarm.log.compactMap { record -> (Instant, DownloadReport)? in
      if case .report(let report) = record.action { (record.at, report) } else { nil }
    }
    let start = try #require(reports.firstIndex { $0.1 == .started(chunks: 100, peers: 2) })
    let firstDone = try #require(reports.firstIndex { if case .chunkDone = $0.1 { true } else { false } })
    #expect(reports[start].0 == .milliseconds(102) && reports[start + 1].1 == .usingWorkers(2))
    #expect(firstDone > start)
    #expect(requests(swarm)[0].at < .milliseconds(10))
  }

  @Test func `in order, no chunk beyond the window is requested`() {
    var settings = DownloadSettings()
    settings.order = .inOrder(windowChunks: 16)
    var swarm = Swarm(
      [VirtualPeer(), .slow(1_048_576), VirtualPeer()], layout: ChunkLayout(fileLength: 60 << 20)!, settings: settings)
    swarm.run(until: .seconds(5))
    #expect(requests(swarm).map(\.chunk.rawValue).max() == 15)
    #expect(!swarm.state.isEnded)
    var consumed = Swarm(
      [VirtualPeer(), .slow(1_048_576), VirtualPeer()], layout: ChunkLayout(fileLength: 60 << 20)!, settings: settings)
    consumed.consumes = true
    consumed.run()
    #expect(consumed.finished != nil && consumed.isWhole)
  }

  @Test func `a failing disk or a cancellation ends the download at once`() {
    var full = Swarm([VirtualPeer()])
    full.run(until: .seconds(1))
    full.handle(.writeFailed)
    #expect(full.failure == .storage)
    var stopped = Swarm([VirtualPeer()])
    stopped.run(until: .seconds(1))
    stopped.handle(.cancelledByUser)
    #expect(stopped.failure == .cancelled)
    stopped.handle(.timerFired)
    #expect(stopped.state.deadline == nil)
  }

  @Test func `an answer that stalls is taken over by a second peer and costs no retry`() throws {
    var swarm = Swarm(
      [VirtualPeer(), VirtualPeer(), VirtualPeer(conduct: .stalls(afterLeaves: 8))],
      layout: ChunkLayout(fileLength: 60 << 20)!)
    swarm.run()
    let stats = try #require(swarm.finished)
    #expect(swarm.isWhole && stats.retries == 0)
    #expect(stats.duration.inSeconds < 10)
    // The loser delivered something, so it is not scored.
    #expect(stats.peers[2].failures == 0 && stats.peers[2].score == 100)
    #expect(swarm.log.contains { if case .cancel(ConnectionID(3), _) = $0.action { true } else { false } })
  }

  @Test func `a hedge's loser that delivered no byte loses score`() throws {
    var swarm = Swarm(
      [VirtualPeer(), VirtualPeer(), VirtualPeer(conduct: .silent)], layout: ChunkLayout(fileLength: 60 << 20)!)
    swarm.run()
    #expect(try #require(swarm.finished).peers[2].score == 75)
  }

  @Test func `at most 5 percent of a file are hedged`() throws {
    let layout = ChunkLayout(fileLength: 19 << 20)!
    var swarm = Swarm([VirtualPeer(), VirtualPeer(conduct: .silent)], layout: layout)
    swarm.run()
    #expect(try #require(swarm.finished).duplicateBytes == 0)
    var asked: [UInt32: Int] = [:]
    for request in requests(swarm) {
      asked[request.chunk.rawValue, default: 0] += layout.length(of: request.leaves, in: request.chunk)
    }
    #expect(asked.values.reduce(0, +) - (19 << 20) <= 2 << 20)
  }

  @Test func `events of closed connections change nothing`() {
    var swarm = Swarm([VirtualPeer()], layout: small)
    swarm.run(until: .milliseconds(50))
    let before = swarm.log.count
    for event: DownloadEvent in [
      .answerEnded(ConnectionID(77), RequestID(1)), .lied(ConnectionID(77)), .withdrawn(ConnectionID(77)),
      .busy(ConnectionID(77), RequestID(1), retryAfter: .zero), .refused(ConnectionID(77), .noSuchFile),
      .connectionLost(ConnectionID(77), .closed), .have(ConnectionID(77), []), .dialFailed(ConnectionID(77), .refused),
      .opened(ConnectionID(77), small, isComplete: true), .pageVerified(PageIndex(9), from: ConnectionID(77)),
      .bitmap(ConnectionID(1), Bitmap(handle: FileHandle(1), firstChunk: ChunkIndex(1_048_575), count: 1, bits: [128])),
      .have(ConnectionID(1), [LeafRun(chunk: ChunkIndex(.max), leaves: LeafRange(first: 0, count: 64))]),
      .leavesVerified(ConnectionID(1), RequestID(9), ChunkIndex(.max), LeafRange(first: 0, count: 4)),
    ] { swarm.handle(event) }
    #expect(swarm.log.count == before)
  }

  @Test func `a peer at score 0 gets a probe after a while and can recover`() throws {
    var settings = DownloadSettings()
    settings.maxWorkers = 1
    settings.hedges = false
    var swarm = Swarm([.slow(1_048_576), .slow(1_048_576)], settings: settings)
    swarm.run(until: .seconds(1))
    for _ in 0..<4 { swarm.state.failed(1, .timeout, at: swarm.now) }
    swarm.resume(until: .seconds(3600))
    let probes = requests(swarm).filter { $0.connection == ConnectionID(2) }
    #expect(probes.count == 1 && probes[0].at >= .seconds(31) && probes[0].at < .seconds(32.1))
    #expect(try #require(swarm.finished).peers[1].score == 5)
  }

  @Test func `chunks that are found on the disk later are not requested`() throws {
    var state = DownloadState(settings: DownloadSettings(), generator: SeededGenerator(seed: 1), at: .zero)
    state.handle(.addressAdded(address(1), pinned: nil), at: .zero)
    state.handle(.connected(ConnectionID(1), peerID(1)), at: .zero)
    state.handle(.opened(ConnectionID(1), ChunkLayout(fileLength: 2 << 20)!, isComplete: true), at: .zero)
    state.handle(.storageReady(Resumable()), at: .zero)
    state.handle(.resumed([(ChunkIndex(0), .max), (ChunkIndex(7), .max)]), at: .zero)
    state.handle(.pageVerified(PageIndex(0), from: ConnectionID(1)), at: .zero)
    var asked: [ChunkIndex] = []
    while let action = state.nextAction() { if case .request(_, _, let chunk, _, _) = action { asked.append(chunk) } }
    #expect(asked == [ChunkIndex(1)])
    state.handle(.resumed([(ChunkIndex(1), .max)]), at: .zero)
    let isEnded = state.isEnded
    #expect(isEnded)
  }

  @Test func `a page at hand is not fetched, and its chunks are requested after the comparison with the disk`() throws {
    var state = DownloadState(settings: DownloadSettings(), generator: SeededGenerator(seed: 1), at: .zero)
    state.handle(.addressAdded(address(1), pinned: nil), at: .zero)
    state.handle(.connected(ConnectionID(1), peerID(1)), at: .zero)
    state.handle(.opened(ConnectionID(1), ChunkLayout(fileLength: 2 << 20)!, isComplete: true), at: .zero)
    // A download whose storage is not ready reports nothing.
    state.handle(.timerFired, at: .seconds(20))
    var actions: [DownloadAction] = []
    func take() { while let action = state.nextAction() { actions.append(action) } }
    take()
    #expect(!actions.contains { if case .report(.started) = $0 { true } else { false } })
    actions = []
    state.handle(.storageReady(Resumable(heldPages: [PageIndex(0), PageIndex(9)])), at: .seconds(20))
    take()
    #expect(
      !actions.contains { action in
        switch action {
        case .fetchPage, .request: true
        default: false
        }
      })
    state.handle(.resumed([(ChunkIndex(1), .max)]), at: .seconds(25))
    state.handle(.pageVerified(PageIndex(0), from: nil), at: .seconds(25))
    take()
    let asked = actions.compactMap { if case .request(_, _, let chunk, _, _) = $0 { chunk } else { nil } }
    #expect(asked == [ChunkIndex(0)])
  }
}
