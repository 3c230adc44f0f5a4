// A connection that also serves other downloads. Waiting behind their answers is not the peer's delay, up to a limit.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct SharedConnectionTests {
  private let layout = ChunkLayout(fileLength: 8 << 20)!

  private func running(peers: UInt8 = 1, pages: Bool = true, hedges: Bool = true) -> DownloadState {
    var settings = DownloadSettings()
    settings.hedges = hedges
    var state = DownloadState(settings: settings, generator: SeededGenerator(seed: 1), at: .zero)
    for number in 1...peers { state.handle(.addressAdded(address(number), pinned: nil), at: .zero) }
    state.handle(.discoveryFinished, at: .zero)
    for number in 1...peers {
      state.handle(.connected(ConnectionID(UInt64(number)), peerID(number)), at: .zero)
      state.handle(.opened(ConnectionID(UInt64(number)), layout, isComplete: true), at: .zero)
    }
    state.handle(.storageReady(Resumable()), at: .zero)
    if pages { state.handle(.pageVerified(PageIndex(0), from: nil), at: .zero) }
    _ = drain(&state)
    return state
  }

  private func drain(_ state: inout DownloadState) -> [DownloadAction] {
    var actions: [DownloadAction] = []
    while let action = state.nextAction() { actions.append(action) }
    return actions
  }

  /// Lets time pass. Until `served`, the first connection's peer serves another download each half second. Returns the
  /// actions, each with its time in seconds.
  private func play(
    _ state: inout DownloadState, until end: Double, served: Double
  ) -> [(at: Double, action: DownloadAction)] {
    var actions: [(Double, DownloadAction)] = []
    var next: Instant = .milliseconds(500)
    while !state.isEnded {
      let isServed = next <= .seconds(served)
      guard let now = [state.deadline, isServed ? next : nil].compactMap({ $0 }).min(), now <= .seconds(end) else {
        break
      }
      if isServed, now == next {
        state.handle(.othersServed(ConnectionID(1)), at: now)
        next = next + .milliseconds(500)
      } else {
        state.handle(.timerFired, at: now)
      }
      actions += drain(&state).map { (now.inSeconds, $0) }
    }
    return actions
  }

  private func timeouts(_ actions: [(at: Double, action: DownloadAction)]) -> [Double] {
    actions.compactMap { at, action in
      if case .report(.peerFailed(_, .timeout)) = action { at } else { nil }
    }
  }

  @Test func `a request's timeout starts when the peer last served another download`() {
    var (state, silent) = (running(), running())
    #expect(timeouts(play(&silent, until: 45, served: 0)).first == 30, "a silent peer")
    #expect(timeouts(play(&state, until: 45, served: 10)).first == 40)
  }

  @Test func `a peer that serves another download for ever loses the request after three timeouts`() {
    var state = running()
    let actions = play(&state, until: 100, served: 100)
    #expect(timeouts(actions).first == 90)
    let cancels = actions.filter { if case .cancel(ConnectionID(1), _) = $0.action { true } else { false } }
    #expect(cancels.first?.at == 90)
  }

  @Test func `another peer gets the request before the download ends for lack of progress`() {
    var state = running(peers: 2, hedges: false)
    // The second peer is busy with others at first, so it takes no request over.
    for request in state.connections[ConnectionID(2)]!.pending.map(\.id) {
      state.handle(.busy(ConnectionID(2), request, retryAfter: .seconds(60)), at: .zero)
    }
    let chunk = state.connections[ConnectionID(1)]!.pending[0].chunk
    state.handle(.timerFired, at: .zero)
    _ = drain(&state)
    let actions = play(&state, until: 120, served: 120)
    let again = actions.first {
      if case .request(ConnectionID(2), _, chunk, _, _) = $0.action { true } else { false }
    }
    #expect(again.map { $0.at <= 90 } == true && !state.isEnded)
  }

  /// Two peers, unproven at first. The second answers each request at once; the first answers none.
  private func withGoodPeer() -> DownloadState {
    var state = running(peers: 2, hedges: false)
    let (good, now) = (ConnectionID(2), Instant.zero)
    while let pending = state.connections[good]!.pending.first {
      state.handle(.answerBegan(good, pending.id), at: now)
      state.handle(.answerEnded(good, pending.id), at: now)
      state.handle(.leavesVerified(good, pending.id, pending.chunk, pending.leaves), at: now)
    }
    _ = drain(&state)
    return state
  }

  @Test func `an unproven peer that serves another download for ever loses the request after 6 s`() {
    var (state, silent) = (withGoodPeer(), withGoodPeer())
    #expect(timeouts(play(&silent, until: 10, served: 0)).first == 2, "the silent peer")
    let actions = play(&state, until: 10, served: 10)
    #expect(timeouts(actions).first == 6)
    let again = actions.first { if case .request(ConnectionID(2), _, _, _, _) = $0.action { true } else { false } }
    #expect(again?.at == 6)
  }

  @Test func `an unproven peer that served another download has its whole time after that`() {
    var state = withGoodPeer()
    #expect(timeouts(play(&state, until: 10, served: 3)).first == 5)
  }

  @Test func `the timeout of a late answer starts when it begins`() {
    var state = withGoodPeer()
    _ = play(&state, until: 5, served: 5)
    let pending = state.connections[ConnectionID(1)]!.pending[0]
    state.handle(.answerBegan(ConnectionID(1), pending.id), at: .seconds(5))
    #expect(timeouts(play(&state, until: 10, served: 0)).first == 7)
  }

  @Test func `a page that is due gets the same extra time, at most three timeouts`() {
    var (state, hostile) = (running(pages: false), running(pages: false))
    #expect(timeouts(play(&state, until: 55, served: 10)).first == 40)
    #expect(timeouts(play(&hostile, until: 100, served: 100)).first == 90)
  }

  @Test func `answers to another download do not count as latency or a low rate of the peer`() {
    var state = running()
    let pending = state.connections[ConnectionID(1)]!.pending[0]
    state.handle(.othersServed(ConnectionID(1)), at: .seconds(5))
    state.handle(.answerBegan(ConnectionID(1), pending.id), at: .milliseconds(5_010))
    state.handle(.othersServed(ConnectionID(1)), at: .milliseconds(5_020))
    state.handle(.answerEnded(ConnectionID(1), pending.id), at: .milliseconds(5_050))
    state.handle(
      .leavesVerified(ConnectionID(1), pending.id, pending.chunk, pending.leaves), at: .milliseconds(5_050))
    #expect(state.peers[0].score.value == PeerScore.start + 20, "50 ms: an answer that has begun keeps its clock")
    let rate = state.peers[0].score.throughput
    #expect(rate.map { $0 > 20e6 } == true)
  }

  @Test func `answers to another download are no sign that the peer serves this one`() {
    var state = running()
    _ = play(&state, until: 31, served: 0)
    let (score, rounds) = (state.peers[0].score.value, state.rounds.isEmpty)
    #expect(state.peers[0].isSilent && score == PeerScore.start - 25 && !rounds)
    state.handle(.othersServed(ConnectionID(1)), at: .seconds(31))
    #expect(state.peers[0].isSilent && state.peers[0].score.value == score && !state.rounds.isEmpty)
    #expect(!state.peers[0].isProven && !state.connections[ConnectionID(1)]!.isProven && state.tally.stats.bytes == 0)
  }

  @Test func `othersServed for a connection that is idle or unknown changes nothing`() {
    var state = DownloadState(settings: DownloadSettings(), generator: SeededGenerator(seed: 1), at: .zero)
    state.handle(.othersServed(ConnectionID(7)), at: .zero)
    state.handle(.addressAdded(address(1), pinned: nil), at: .zero)
    state.handle(.connected(ConnectionID(1), peerID(1)), at: .zero)
    _ = drain(&state)
    let deadline = state.deadline
    state.handle(.othersServed(ConnectionID(1)), at: .seconds(1))
    #expect(drain(&state).isEmpty && state.deadline == deadline)
  }
}
