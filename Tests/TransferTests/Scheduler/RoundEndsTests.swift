// When the round of a chunk ends: a peer that failed is asked again as soon as no other peer can give the rest.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct RoundEndsTests {
  private let layout = ChunkLayout(fileLength: 1 << 20)!

  /// A download on virtual time, the connections that were asked for leaves, and the peers whose failure spent a retry.
  /// Both lists are in order.
  private struct Run {
    var state: DownloadState
    var asked: [(connection: ConnectionID, request: RequestID, leaves: LeafRange)] = []
    var retries: [PeerID] = []
    var now = Instant.zero

    init(maxWorkers: Int = 8) {
      var settings = DownloadSettings()
      settings.hedges = false
      settings.maxWorkers = maxWorkers
      state = DownloadState(settings: settings, generator: SeededGenerator(seed: 1), at: .zero)
    }

    mutating func handle(_ event: DownloadEvent, at now: Instant) {
      self.now = now
      state.handle(event, at: now)
      while let action = state.nextAction() {
        if case .request(let id, let request, _, let leaves, _) = action { asked.append((id, request, leaves)) }
        if case .report(.chunkRetry(_, let peer, _, _, _)) = action { retries.append(peer) }
      }
    }

    mutating func pass(until end: Instant) {
      while let deadline = state.deadline, deadline <= end { handle(.timerFired, at: deadline) }
    }

    /// All peers but one answer every request with BUSY. Returns when the one was asked next.
    mutating func passRefusing(except honest: ConnectionID, until end: Instant) -> Instant? {
      // Longer than the least time that a refusing peer is left alone. So one of the two can be asked at any time.
      let latency = Duration.milliseconds(60)
      let honestCount = asked.count { $0.connection == honest }
      var answered = asked.count
      var due: Instant?
      while asked.count(where: { $0.connection == honest }) == honestCount {
        if due == nil, asked.count > answered { due = now + latency }
        guard let next = [state.deadline, due].compactMap({ $0 }).min(), next <= end else { return nil }
        if next == due {
          handle(.busy(asked[answered].connection, asked[answered].request, retryAfter: .milliseconds(10)), at: next)
          (answered, due) = (answered + 1, nil)
        } else {
          handle(.timerFired, at: next)
        }
      }
      return now
    }

    /// The first peer is complete and is asked for the whole chunk. It sends nothing.
    mutating func beginsWithSilentPeer(_ layout: ChunkLayout, named: ClosedRange<UInt8>) {
      for number in named { handle(.addressAdded(address(number), pinned: nil), at: .zero) }
      handle(.discoveryFinished, at: .zero)
      opens(1, layout, isComplete: true, at: .zero)
      handle(.storageReady(Resumable(pages: [PageIndex(0)])), at: .zero)
    }

    mutating func opens(_ number: UInt8, _ layout: ChunkLayout, isComplete: Bool, at now: Instant) {
      let id = ConnectionID(UInt64(number))
      handle(.connected(id, peerID(number)), at: now)
      handle(.opened(id, layout, isComplete: isComplete), at: now)
    }
  }

  @Test func `a slow peer is asked again when the others gave all their leaves`() {
    var run = Run()
    run.beginsWithSilentPeer(layout, named: 1...2)
    run.opens(2, layout, isComplete: false, at: .seconds(1))
    let first = LeafRange(first: 0, count: 4)
    run.handle(.have(ConnectionID(2), [LeafRun(chunk: ChunkIndex(0), leaves: first)]), at: .seconds(1))
    run.pass(until: .seconds(3))
    #expect(run.asked.map(\.connection) == [ConnectionID(1), ConnectionID(2)])
    #expect(run.asked.last?.leaves == first)
    run.handle(
      .leavesVerified(ConnectionID(2), run.asked.last!.request, ChunkIndex(0), first), at: .seconds(3))
    run.pass(until: .seconds(10))
    // No other peer has the rest, although the second one has not failed.
    #expect(run.asked.dropFirst(2).first?.connection == ConnectionID(1))
    #expect(run.asked.dropFirst(2).first?.leaves == LeafRange(first: 4, count: 60))
  }

  @Test func `a slow peer is asked again when a peer leaves that joined after the start of the round`() {
    var run = Run()
    run.beginsWithSilentPeer(layout, named: 1...3)
    run.opens(2, layout, isComplete: true, at: .seconds(1))
    run.pass(until: .seconds(3))
    #expect(run.asked.map(\.connection) == [ConnectionID(1), ConnectionID(2)])
    run.opens(3, layout, isComplete: true, at: .seconds(3))
    run.pass(until: .seconds(5))
    #expect(run.asked.map(\.connection) == [ConnectionID(1), ConnectionID(2), ConnectionID(3)])
    run.handle(.withdrawn(ConnectionID(3)), at: .seconds(5))
    run.pass(until: .seconds(10))
    #expect(run.asked.count > 3)
  }

  @Test func `a peer that joined late, failed in the round and left is not awaited`() {
    var run = Run()
    run.beginsWithSilentPeer(layout, named: 1...3)
    run.opens(3, layout, isComplete: true, at: .seconds(1))
    // The round has two members: the first and the third peer.
    run.handle(.connectionLost(ConnectionID(1), .closed), at: .seconds(2))
    #expect(run.asked.map(\.connection) == [ConnectionID(1), ConnectionID(3)])
    run.handle(.busy(ConnectionID(3), run.asked.last!.request, retryAfter: .seconds(60)), at: .seconds(2))
    run.opens(2, layout, isComplete: true, at: .seconds(3))
    #expect(run.asked.last?.connection == ConnectionID(2))
    run.handle(.connectionLost(ConnectionID(2), .closed), at: .seconds(3))
    #expect(run.retries.isEmpty)
    run.handle(.withdrawn(ConnectionID(3)), at: .seconds(4))
    #expect(run.retries == [peerID(2)])
  }

  @Test func `strangers cost no retry while a peer found by discovery has not answered yet`() {
    func retriesAfterAStranger(isFoundAtFirst: Bool) -> [PeerID] {
      var run = Run()
      let stranger = ConnectionID.firstInbound
      run.handle(.connected(stranger, peerID(10), from: ipv4(10)), at: .zero)
      run.handle(.opened(stranger, layout, isComplete: true), at: .zero)
      if isFoundAtFirst { run.handle(.addressHinted(address(1), peerID(1)), at: .zero) }
      run.handle(.discoveryFinished, at: .zero)
      if !isFoundAtFirst { run.handle(.addressHinted(address(1), peerID(1)), at: .zero) }
      run.handle(.storageReady(Resumable(pages: [PageIndex(0)])), at: .zero)
      #expect(run.asked.map(\.connection) == [stranger])
      run.handle(.connectionLost(stranger, .closed), at: .seconds(1))
      return run.retries
    }
    #expect(retriesAfterAStranger(isFoundAtFirst: true).isEmpty)
    #expect(retriesAfterAStranger(isFoundAtFirst: false) == [peerID(10)])
  }

  @Test func `strangers that only refuse do not keep a chunk from a peer that failed it once`() {
    var run = Run(maxWorkers: 1)
    run.beginsWithSilentPeer(layout, named: 1...1)
    for number in UInt64(0)..<2 {
      let id = ConnectionID(ConnectionID.firstInbound.rawValue + number)
      run.handle(.connected(id, peerID(UInt8(10 + number)), from: ipv4(UInt8(10 + number))), at: .seconds(1))
      run.handle(.opened(id, layout, isComplete: true), at: .seconds(1))
    }
    run.pass(until: .seconds(2))
    #expect(run.asked.count == 2)
    let again = run.passRefusing(except: ConnectionID(1), until: .seconds(600))
    // A timeout after their first BUSY, they count as peers that only refuse.
    #expect(again.map { $0 < .seconds(40) } == true)
  }
}
