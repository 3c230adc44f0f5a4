// Complete downloads in a virtual swarm: whether they end, when, and with which result.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct EngineTests {
  let small = ChunkLayout(fileLength: 8 << 20)!

  @Test func `eight peers are eight times as fast as one`() throws {
    var one = Swarm([VirtualPeer()])
    one.run()
    var eight = Swarm(Array(repeating: VirtualPeer(), count: 8))
    eight.run()
    let single = try #require(one.finished)
    let parallel = try #require(eight.finished)
    #expect(one.isWhole && eight.isWhole && one.faults.isEmpty && eight.faults.isEmpty)
    // 100 chunks from 8 peers are 13 rounds of 100 ms. The latency of 1 ms is lost twice.
    #expect(single.duration.inSeconds < 10.1)
    #expect(parallel.duration.inSeconds < 1.35)
    #expect(parallel.downloadedChunks == 100 && parallel.bytes == 100 << 20 && parallel.failedChunks == 0)
    #expect(parallel.peers.map(\.chunks).reduce(0, +) == 100)
    #expect(parallel.duplicateBytes <= 5 << 20)
  }

  @Test func `a path of 100 ms latency is used as fully as a short one`() throws {
    var swarm = Swarm([VirtualPeer(latency: .milliseconds(100))])
    swarm.run()
    // The handshake, OPEN, the page and the first chunk each wait for a round trip. Nothing else does.
    #expect(try #require(swarm.finished).duration.inSeconds < 10.6)
  }

  @Test func `faster peers take more of the work`() throws {
    var swarm = Swarm([.slow(1_048_576), VirtualPeer(bytesPerSecond: 20 * 1_048_576)])
    swarm.run()
    let stats = try #require(swarm.finished)
    #expect(swarm.isWhole)
    #expect(stats.peers[1].chunks > 10 * stats.peers[0].chunks)
    #expect(stats.duration.inSeconds < 6)
  }

  @Test func `the chunks of a lost peer go to the next peer`() throws {
    var swarm = Swarm([VirtualPeer(lostAt: .seconds(1)), VirtualPeer()])
    swarm.run()
    let stats = try #require(swarm.finished)
    #expect(swarm.isWhole && swarm.faults.isEmpty)
    #expect(stats.peers[0].failures == 1 && stats.retries == 0, "another peer was there to be asked")
  }

  @Test func `a lie bans its sender at once and costs no retry`() throws {
    var settings = DownloadSettings()
    settings.maxRetries = 0
    var swarm = Swarm([VirtualPeer(conduct: .liar), VirtualPeer()], settings: settings)
    swarm.run()
    let stats = try #require(swarm.finished)
    #expect(stats.retries == 0 && stats.peers[0].bytes == 0)
    #expect(swarm.reports.contains(.peerBanned(peerID(1))))
    #expect(swarm.log.count { $0.action == .disconnect(ConnectionID(1), .banned) } == 1)
    let dials = swarm.log.count {
      if case .dial(let dialled, _, _) = $0.action { dialled == swarm.address(of: 0) } else { false }
    }
    #expect(dials == 1)
  }

  @Test func `a peer that answers only BUSY costs neither score nor retry`() throws {
    var swarm = Swarm([VirtualPeer(conduct: .busy(retryAfter: .milliseconds(10))), VirtualPeer()])
    swarm.run()
    let stats = try #require(swarm.finished)
    #expect(swarm.isWhole)
    #expect(stats.retries == 0 && stats.peers[0].score == 100 && stats.peers[0].failures == 0)
  }

  @Test func `a peer that answers only BUSY does not hold up the download for ever`() {
    var swarm = Swarm([VirtualPeer(conduct: .busy(retryAfter: .seconds(10)))], layout: small)
    swarm.run()
    guard case .noPeers? = swarm.failure else {
      Issue.record("\(String(describing: swarm.ending))")
      return
    }
    // After 30 s with only BUSY the peer no longer counts as usable. The download ends 30 s later.
    #expect(swarm.now == .milliseconds(30_004 + 30_000 + 3))
  }

  @Test func `BUSY delays a peer for exactly the time that it names, at most a minute`() {
    var swarm = Swarm([VirtualPeer(conduct: .busy(retryAfter: .seconds(7)))], layout: small)
    swarm.run(until: .seconds(20))
    let asked = swarm.times { if case .request = $0 { true } else { false } }
    #expect(asked == [.milliseconds(3), .milliseconds(7_004), .milliseconds(14_005)])
    var long = Swarm([VirtualPeer(conduct: .busy(retryAfter: .seconds(4000)))], layout: small)
    long.run(until: .seconds(100))
    #expect(long.times { if case .request = $0 { true } else { false } } == [.milliseconds(3), .milliseconds(60_004)])
  }

  @Test func `a file that a peer withdraws is fetched from other peers without a retry`() throws {
    var swarm = Swarm([VirtualPeer(conduct: .withdraws), VirtualPeer()])
    swarm.run(until: .seconds(12))
    let stats = try #require(swarm.finished)
    #expect(stats.retries == 0 && swarm.reports.contains(.peerLost(peerID(1), .withdrawn)))
  }

  @Test func `a peer that withdrew the file is dialled three times more`() throws {
    var swarm = Swarm([VirtualPeer(conduct: .withdraws)], layout: small)
    swarm.run()
    #expect(swarm.times { if case .dial = $0 { true } else { false } }.count == 4)
    guard case .noPeers? = swarm.failure else {
      Issue.record("\(String(describing: swarm.ending))")
      return
    }
  }

  @Test func `GOODBYE with not allowed ends the download like a refusal of the file`() throws {
    for others in [[], [VirtualPeer(conduct: .refuses(.noSuchFile))]] {
      var swarm = Swarm([VirtualPeer(conduct: .mute)] + others)
      for index in swarm.peers.indices { swarm.handle(.addressAdded(swarm.address(of: index), pinned: nil)) }
      swarm.handle(.discoveryFinished)
      swarm.resume(until: .seconds(1))
      swarm.handle(.connectionLost(ConnectionID(1), .goodbye(CloseCode.notAllowed.rawValue)))
      guard case .notAdmitted(let reports)? = swarm.failure else {
        Issue.record("\(String(describing: swarm.ending))")
        continue
      }
      #expect(reports[0].outcome == .refused(.notAllowed))
    }
  }

  @Test func `peers that have different parts of a file complete it together`() throws {
    let layout = ChunkLayout(fileLength: 30 << 20)!
    var swarm = Swarm(
      [
        VirtualPeer(holds: Set(0..<12)), VirtualPeer(holds: Set(10..<20)), VirtualPeer(holds: Set(18..<30)),
      ], layout: layout)
    swarm.run()
    #expect(swarm.finished != nil && swarm.isWhole && swarm.faults.isEmpty)
  }

  @Test func `chunks that only a standby peer has are fetched from it`() throws {
    var settings = DownloadSettings()
    settings.maxWorkers = 2
    let most = VirtualPeer(holds: Set(0..<29))
    var swarm = Swarm(
      Array(repeating: most, count: 6) + [VirtualPeer(holds: [29])], layout: ChunkLayout(fileLength: 30 << 20)!,
      settings: settings)
    swarm.run()
    #expect(swarm.finished != nil && swarm.isWhole && swarm.faults.isEmpty)
  }

  @Test func `a file of many pages fetches each page once and before its chunks`() throws {
    var settings = DownloadSettings()
    settings.chunksPerPage = 4
    let layout = ChunkLayout(fileLength: 1000 * 1024 + 7, chunkSize: 1024, leafSize: 64)!
    var swarm = Swarm(Array(repeating: VirtualPeer(), count: 3), layout: layout, settings: settings)
    swarm.run()
    #expect(swarm.finished != nil && swarm.isWhole)
    let pages = swarm.log.compactMap { if case .fetchPage(let page, _) = $0.action { page } else { nil } }
    #expect(pages.count == 251 && Set(pages).count == 251)
  }

  @Test func `an empty file needs no peer other than the one that names it`() throws {
    var swarm = Swarm([VirtualPeer()], layout: ChunkLayout(fileLength: 0)!)
    swarm.run()
    #expect(try #require(swarm.finished).totalChunks == 0)
    #expect(swarm.reports.contains(.started(chunks: 0, peers: 1)))
  }

  @Test func `the same seed gives the same run`() {
    func play() -> [DownloadAction] {
      var swarm = Swarm(
        [VirtualPeer(lostAt: .seconds(1)), VirtualPeer(conduct: .liar), .slow(1_048_576), VirtualPeer()], seed: 7)
      swarm.run()
      return swarm.log.map(\.action)
    }
    #expect(play() == play())
  }

  @Test(arguments: 0..<40 as Range<UInt64>)
  func `whatever the swarm does, the download ends with a complete file or a clear error`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let conducts: [VirtualPeer.Conduct] = [
      .honest, .honest, .honest, .liar, .silent, .refuses(.noSuchFile), .down(.refused), .stalls(afterLeaves: 8), .mute,
      .pageless,
      .withdraws, .busy(retryAfter: .seconds(1)), .refuses(.tooManyFilesOpen),
    ]
    let layout = ChunkLayout(fileLength: 23 << 20)!
    let peers = (0..<Int.random(in: 1...12, using: &generator)).map { _ in
      var peer = VirtualPeer(conduct: conducts.randomElement(using: &generator)!)
      peer.latency = .milliseconds(Int.random(in: 1...200, using: &generator))
      peer.bytesPerSecond = Double(Int.random(in: 1...40, using: &generator)) * 262_144
      if Bool.random(using: &generator) { peer.lostAt = .milliseconds(Int64.random(in: 1...9000, using: &generator)) }
      if Bool.random(using: &generator) {
        peer.holds = Set((0..<23).filter { _ in Bool.random(using: &generator) })
      }
      return peer
    }
    var swarm = Swarm(peers, layout: layout, seed: seed)
    // A peer that stalls after each eighth of a chunk is slow, but delivers the file.
    swarm.run(until: .seconds(30_000))
    #expect(swarm.faults.isEmpty, "seed \(seed)")
    let isEnded = swarm.state.isEnded
    #expect(isEnded, "seed \(seed)")
    let isClear = swarm.failure != nil || swarm.isWhole
    #expect(isClear, "seed \(seed)")
  }
}
