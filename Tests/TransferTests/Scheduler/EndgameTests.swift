// Near the end, idle peers take requests over from slow ones, and partial peers give what they have.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct EndgameTests {
  @Test func `a slow peer delays the end only a little`() throws {
    let layout = ChunkLayout(fileLength: 100 << 20)!
    let peers = [VirtualPeer](repeating: .slow(10_000_000), count: 7) + [.slow(500_000)]
    var swarm = Swarm(peers, layout: layout)
    swarm.run()
    let stats = try #require(swarm.finished)
    let ideal = Double(layout.fileLength) / 70_500_000
    #expect(swarm.isWhole && stats.retries == 0)
    #expect(stats.duration.inSeconds < 1.08 * ideal, "\(stats.duration.inSeconds) of \(ideal) s")
    #expect(stats.duplicateBytes * 20 <= layout.fileLength)
  }

  @Test func `requests that wait in the queue of a slow peer are taken over without blame`() throws {
    var swarm = Swarm([.slow(10_000_000), .slow(1_000_000)], layout: ChunkLayout(fileLength: 20 << 20)!)
    swarm.run()
    let stats = try #require(swarm.finished)
    #expect(swarm.isWhole && stats.peers.allSatisfy { $0.failures == 0 })
    #expect(stats.duration.inSeconds < 1.08 * Double(20 << 20) / 11_000_000)
  }

  @Test func `a chunk that two peers send is split where frames end`() throws {
    var cuts = 0
    for seed in 1...10 as ClosedRange<UInt64> {
      let rates = [9.1, 10.3, 11.7, 12.9, 8.3, 10.9].map { VirtualPeer.slow($0 * 1_000_000) }
      var swarm = Swarm(rates, layout: ChunkLayout(fileLength: 40 << 20)!, seed: seed)
      swarm.run()
      #expect(swarm.isWhole)
      var asked: [ChunkIndex: LeafRange] = [:]
      for record in swarm.log {
        guard case .request(_, _, let chunk, let leaves, _) = record.action else { continue }
        if let first = asked[chunk], leaves.first > first.first {
          #expect((leaves.first - first.first).isMultiple(of: ProtocolLimits.dataFullLeavesMax), "\(first), \(leaves)")
          cuts += 1
        }
        asked[chunk] = asked[chunk] ?? leaves
      }
    }
    #expect(cuts > 10)
  }

  @Test func `an idle peer takes over the request that would finish last`() throws {
    let layout = ChunkLayout(fileLength: 10 << 20)!
    var settings = DownloadSettings()
    settings.maxWorkers = 3
    var state = DownloadState(settings: settings, generator: SeededGenerator(seed: 1), at: .zero)
    let ids = (1...3).map { ConnectionID($0) }
    for number in 1...3 as ClosedRange<UInt8> {
      state.handle(.addressAdded(address(number, port: 9_800), pinned: nil), at: .zero)
    }
    state.handle(.discoveryFinished, at: .zero)
    for (number, id) in ids.enumerated() {
      state.handle(.connected(id, peerID(UInt8(number + 1))), at: .zero)
      state.handle(.opened(id, layout, isComplete: true), at: .zero)
    }
    state.handle(.storageReady(Resumable()), at: .zero)
    state.handle(.pageVerified(PageIndex(0), from: nil), at: .zero)

    var lines: [ConnectionID: [(request: RequestID, chunk: ChunkIndex)]] = [:]
    func take() -> [DownloadAction] {
      var actions: [DownloadAction] = []
      while let action = state.nextAction() {
        if case .request(let id, let request, let chunk, _, _) = action {
          lines[id, default: []].append((request, chunk))
        }
        actions.append(action)
      }
      return actions
    }
    func give(_ leaves: Range<Int>, on id: ConnectionID, at milliseconds: Int64) {
      let (request, chunk) = lines[id]![0]
      let isWhole = leaves.upperBound == 64
      if isWhole {
        state.handle(.answerEnded(id, request), at: .milliseconds(milliseconds))
        lines[id]!.removeFirst()
      }
      let range = LeafRange(first: leaves.lowerBound, count: leaves.count)
      state.handle(.leavesVerified(id, request, chunk, range), at: .milliseconds(milliseconds))
    }
    _ = take()
    for id in ids {
      give(0..<64, on: id, at: 100)
      _ = take()
    }
    #expect(ids.map { lines[$0]!.count } == [3, 2, 2])
    // The first peer is within a chunk and has another one queued. The third has just begun its last one.
    give(0..<64, on: ids[1], at: 200)
    give(0..<64, on: ids[0], at: 230)
    give(0..<64, on: ids[2], at: 290)
    give(0..<4, on: ids[2], at: 300)
    give(0..<44, on: ids[0], at: 300)
    _ = take()
    let last = lines[ids[0]]![1]
    give(0..<64, on: ids[1], at: 300)
    let actions = take()
    #expect(actions.contains(.cancel(ids[0], last.request)), "\(actions)")
    let asked = actions.compactMap { if case .request(let id, _, let chunk, _, _) = $0 { (id, chunk) } else { nil } }
    #expect(asked.count == 1 && asked[0] == (ids[1], last.chunk), "\(actions)")
  }

  private let layout = ChunkLayout(fileLength: 4 << 20)!

  private func opened(isComplete: Bool, shares: Bool = true, seed: UInt64 = 1) -> DownloadState {
    var settings = DownloadSettings()
    settings.shares = shares
    var state = DownloadState(settings: settings, generator: SeededGenerator(seed: seed), at: .zero)
    let address = PeerAddress(ip: Array(repeating: 1, count: 16), port: 9)
    for event: DownloadEvent in [
      .addressAdded(address, pinned: nil), .discoveryFinished,
      .connected(ConnectionID(1), PeerID(digest: Digest(Array(repeating: 1, count: 32))!)),
      .opened(ConnectionID(1), layout, isComplete: isComplete), .storageReady(Resumable()),
      .pageVerified(PageIndex(0), from: nil),
    ] { state.handle(event, at: .zero) }
    return state
  }

  private func requests(of state: inout DownloadState) -> [LeafRun] {
    var runs: [LeafRun] = []
    while let action = state.nextAction() {
      if case .request(_, _, let chunk, let leaves, _) = action { runs.append(LeafRun(chunk: chunk, leaves: leaves)) }
    }
    return runs
  }

  private func run(_ chunk: UInt32, _ first: Int, _ count: Int) -> LeafRun {
    LeafRun(chunk: ChunkIndex(chunk), leaves: LeafRange(first: first, count: count))
  }

  @Test func `a partial peer is asked only for leaves that it announced`() {
    var state = opened(isComplete: false)
    #expect(requests(of: &state).isEmpty)
    state.handle(.have(ConnectionID(1), [run(2, 4, 8)]), at: .zero)
    #expect(requests(of: &state) == [run(2, 4, 8)])
    state.handle(
      .leavesVerified(ConnectionID(1), RequestID(1), ChunkIndex(2), LeafRange(first: 4, count: 8)), at: .zero)
    #expect(requests(of: &state).isEmpty)
    state.handle(.have(ConnectionID(1), [run(2, 0, 4), run(1, 0, 64)]), at: .zero)
    // Whole chunks come first, because long requests cost less.
    #expect(requests(of: &state) == [run(1, 0, 64), run(2, 0, 4)])
  }

  @Test func `chunks promised to other peers are requested last`() {
    for seed in 1...20 as ClosedRange<UInt64> {
      var state = opened(isComplete: true, seed: seed)
      let first = requests(of: &state)[0].chunk
      let others = (0..<4).map { ChunkIndex($0) }.filter { $0 != first }
      state.handle(.promised(ConnectionID(1), Array(others.prefix(2)) + [ChunkIndex(9)]), at: .zero)
      state.handle(
        .leavesVerified(ConnectionID(1), RequestID(1), first, LeafRange(first: 0, count: 64)), at: .milliseconds(100))
      let next = requests(of: &state).map(\.chunk)
      #expect(next.first == others[2], "\(next)")
      state.handle(.connectionLost(ConnectionID(1), .closed), at: .milliseconds(100))
      #expect(state.chunks.copies(of: others[0]) == 0)
    }
  }

  @Test func `a download that shares starts at a random chunk, and one that does not at the first`() {
    let first = (1...20 as ClosedRange<UInt64>).map { seed in
      var state = opened(isComplete: true, seed: seed)
      return requests(of: &state)[0].chunk.rawValue
    }
    #expect(Set(first).count > 1)
    for seed in 1...20 as ClosedRange<UInt64> {
      var state = opened(isComplete: true, shares: false, seed: seed)
      #expect(requests(of: &state)[0].chunk == ChunkIndex(0))
    }
  }
}
