// One honest source is enough: whatever strangers do, the download completes while the source is connected.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct StrangersTests {
  /// The ways in which strangers misbehave.
  enum Misbehaviour: String, CaseIterable, Sendable {
    case closesAtRequest, closesAtPage, silent, pageless, dribbles, busy, lies, claimsLastChunkAndCloses
    case claimsLastChunkAndIsSilent
  }

  private static let rate = 10 * 1_048_576.0

  /// - `isInbound`: whether the peer dials the download repeatedly with new PeerIDs. If not, it is dialled.
  private func stranger(_ misbehaviour: Misbehaviour, chunks: Int, ip: UInt8, isInbound: Bool) -> VirtualPeer {
    var peer = VirtualPeer(ip: ip)
    if isInbound { peer.returnsAfter = .milliseconds(20) }
    let last: Set<UInt32> = [UInt32(chunks - 1)]
    switch misbehaviour {
    case .closesAtRequest: peer.conduct = .closes(at: .request)
    case .closesAtPage: peer.conduct = .closes(at: .page)
    case .silent: peer.conduct = .silent
    case .pageless: peer.conduct = .pageless
    case .dribbles: peer.conduct = .dribbles(every: .seconds(29))
    case .busy: peer.conduct = .busy(retryAfter: .zero)
    case .lies: peer.conduct = .liar
    case .claimsLastChunkAndCloses: (peer.conduct, peer.holds) = (.closes(at: .page), last)
    case .claimsLastChunkAndIsSilent: (peer.conduct, peer.holds) = (.pageless, last)
    }
    return peer
  }

  private func download(
    _ misbehaviour: Misbehaviour, chunks: Int, strangers: Int, isInbound: Bool, honestFirst: Bool
  ) -> Swarm {
    let layout = ChunkLayout(fileLength: UInt64(chunks) << 20)!
    var settings = DownloadSettings()
    settings.shares = true
    // Even a small file has several pages.
    settings.chunksPerPage = max(1, chunks / 4)
    let others = (0..<strangers).map {
      stranger(misbehaviour, chunks: chunks, ip: UInt8(100 + $0), isInbound: isInbound)
    }
    let honest = VirtualPeer(bytesPerSecond: StrangersTests.rate)
    var swarm = Swarm(
      honestFirst ? [honest] + others : others + [honest], layout: layout, settings: settings, seed: UInt64(strangers))
    swarm.run(until: .seconds(3600))
    return swarm
  }

  /// Returns how many requests and pages silent strangers lost. Each may cost as long as a peer may be silent.
  private func losses(_ swarm: Swarm) -> Int {
    swarm.reports.count { report in
      switch report {
      case .peerFailed(_, .timeout), .peerFailed(_, .overtaken): true
      default: false
      }
    }
  }

  @Test(arguments: Misbehaviour.allCases, [1, 64])
  func `strangers that dial in never stop a download from a source that the user named`(
    _ misbehaviour: Misbehaviour, chunks: Int
  ) throws {
    for strangers in [1, 4, 9] {
      let swarm = download(misbehaviour, chunks: chunks, strangers: strangers, isInbound: true, honestFirst: true)
      let stats = try #require(swarm.finished, "\(strangers) strangers: \(String(describing: swarm.failure))")
      #expect(swarm.isWhole && swarm.faults.isEmpty)
      #expect(stats.retries == 0, "\(stats.retries) retries")
      let alone = Double(chunks << 20) / StrangersTests.rate
      // Strangers are silent at the same time, and a source that works meanwhile loses nothing.
      let most = alone * 1.5 + 2 * Double(min(losses(swarm), 4)) + 0.5
      #expect(stats.duration.inSeconds <= most, "\(strangers) strangers: \(stats.duration), \(losses(swarm)) losses")
    }
  }

  @Test(arguments: Misbehaviour.allCases, [1, 64])
  func `bad peers that the user also named never stop a download from a good one`(
    _ misbehaviour: Misbehaviour, chunks: Int
  ) throws {
    for strangers in [1, 4, 9] {
      let swarm = download(misbehaviour, chunks: chunks, strangers: strangers, isInbound: false, honestFirst: false)
      let stats = try #require(swarm.finished, "\(strangers) bad peers: \(String(describing: swarm.failure))")
      #expect(swarm.isWhole && swarm.faults.isEmpty)
      let alone = Double(chunks << 20) / StrangersTests.rate
      let most = alone * 1.5 + 2 * Double(losses(swarm)) + 1
      #expect(stats.duration.inSeconds <= most, "\(strangers) bad peers: \(stats.duration), \(losses(swarm)) losses")
    }
  }

  @Test func `the memory for strangers does not grow with their number`() throws {
    var state = DownloadState(settings: DownloadSettings(), generator: SeededGenerator(seed: 1), at: .zero)
    let layout = ChunkLayout(fileLength: 64 << 20)!
    for event: DownloadEvent in [
      .addressAdded(address(1), pinned: nil), .discoveryFinished, .connected(ConnectionID(1), peerID(1)),
      .opened(ConnectionID(1), layout, isComplete: true), .storageReady(Resumable()),
    ] { state.handle(event, at: .zero) }
    for number in 0..<20_000 {
      let id = ConnectionID(ConnectionID.firstInbound.rawValue + UInt64(number))
      var bytes = Array(repeating: UInt8(7), count: 32)
      for i in 0..<4 { bytes[i] = UInt8(truncatingIfNeeded: number >> (8 * i)) }
      var ip = ipv4(0)
      for i in 0..<3 { ip[13 + i] = UInt8(truncatingIfNeeded: number >> (8 * i)) }
      let now = Instant.milliseconds(Int64(number))
      state.handle(.connected(id, PeerID(digest: Digest(bytes)!), from: ip), at: now)
      state.handle(.opened(id, layout, isComplete: false), at: now)
      if number % 3 == 0 { state.handle(.lied(id), at: now) }
      state.handle(.connectionLost(id, .closed), at: now)
      while state.nextAction() != nil {}
    }
    #expect(state.peers.indices.count <= PeerTable.idlePastMax + 3)
    #expect(state.peers.remembered.count <= PeerTable.idlePastMax + 3)
    let stats = state.statistics(at: .seconds(30))
    #expect(stats.peers.count <= PeerTable.idlePastMax + 2 && stats.peers[0].peer == peerID(1))
    #expect(stats.pastPeers.count + stats.peers.count == 20_001)
    #expect(stats.pastPeers.banned > 6_000)
  }

  @Test func `a download with only strangers that give nothing ends after four timeouts`() {
    var state = DownloadState(settings: DownloadSettings(), generator: SeededGenerator(seed: 1), at: .zero)
    let layout = ChunkLayout(fileLength: 4 << 20)!
    // The peer was found on the local network. The user named none.
    for event: DownloadEvent in [
      .addressHinted(address(1), peerID(1)), .discoveryFinished, .connected(ConnectionID(1), peerID(1)),
      .opened(ConnectionID(1), layout, isComplete: false), .storageReady(Resumable(pages: [PageIndex(0)])),
      .connectionLost(ConnectionID(1), .goodbye(CloseCode.done.rawValue)),
    ] { state.handle(event, at: .zero) }
    var now = Instant.zero
    var ending: DownloadFailure?
    var number = 0
    while ending == nil, now < .seconds(600) {
      // Each second a new stranger arrives, claims everything and gives nothing.
      now = now + .seconds(1)
      number += 1
      let id = ConnectionID(ConnectionID.firstInbound.rawValue + UInt64(number))
      let peer = PeerID(digest: Digest([UInt8(number & 255), UInt8(number >> 8)] + Array(repeating: 9, count: 30))!)
      state.handle(.connected(id, peer, from: ipv4(UInt8(number & 127))), at: now)
      state.handle(.opened(id, layout, isComplete: true), at: now)
      if let deadline = state.deadline, deadline <= now { state.handle(.timerFired, at: now) }
      state.handle(.connectionLost(id, .closed), at: now)
      while let action = state.nextAction() { if case .failed(let failure, _) = action { ending = failure } }
    }
    guard let ending else {
      Issue.record("it goes on for ever")
      return
    }
    #expect(now <= .seconds(125), "\(ending) after \(now.inSeconds) s")
  }
}

@Suite struct HangingPeersTests {
  @Test func `peers that give a chunk and then hang delay a download no longer than a peer may be silent`() throws {
    let layout = ChunkLayout(fileLength: 64 << 20)!
    let hanging = VirtualPeer(bytesPerSecond: 100 * 1_048_576, silentFrom: .milliseconds(30))
    var swarm = Swarm(
      [hanging, hanging, hanging, hanging, VirtualPeer(bytesPerSecond: 30 * 1_048_576)], layout: layout)
    swarm.run()
    let stats = try #require(swarm.finished, "\(String(describing: swarm.failure))")
    #expect(swarm.isWhole && stats.retries == 0)
    #expect(stats.duration.inSeconds < 64 / 30 * 1.5 + 4, "\(stats.duration)")
  }
}
