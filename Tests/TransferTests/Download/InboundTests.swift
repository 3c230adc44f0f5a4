// Inbound connections: the download uses them like any other, and never dials their peers for them.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct InboundTests {
  private let layout = ChunkLayout(fileLength: 8 << 20)!
  private let inbound = ConnectionID.firstInbound
  private let dialled = ConnectionID(1)

  /// Returns a download with one address. Its peer was dialled and has opened the file.
  private func running() -> DownloadState {
    var state = DownloadState(settings: DownloadSettings(), generator: SeededGenerator(seed: 1), at: .zero)
    for event: DownloadEvent in [
      .addressAdded(address(1), pinned: nil), .discoveryFinished, .connected(dialled, peerID(1)),
      .opened(dialled, layout, isComplete: true), .storageReady(Resumable()),
      .pageVerified(PageIndex(0), from: nil),
    ] { state.handle(event, at: .zero) }
    return state
  }

  private func actions(of state: inout DownloadState) -> [DownloadAction] {
    var actions: [DownloadAction] = []
    while let action = state.nextAction() { actions.append(action) }
    return actions
  }

  @Test func `any number of peers that are full or done cost no retry of a chunk or page`() {
    var state = DownloadState(settings: DownloadSettings(), generator: SeededGenerator(seed: 1), at: .zero)
    for event: DownloadEvent in [
      .addressAdded(address(1), pinned: nil), .discoveryFinished, .connected(dialled, peerID(1)),
      .opened(dialled, layout, isComplete: true), .storageReady(Resumable()),
    ] { state.handle(event, at: .zero) }
    #expect(actions(of: &state).contains(.fetchPage(PageIndex(0), dialled)))
    state.handle(.connectionLost(dialled, .goodbye(CloseCode.done.rawValue)), at: .zero)
    for number in 2..<10 {
      let id = ConnectionID(inbound.rawValue + UInt64(number))
      state.handle(.connected(id, peerID(UInt8(number))), at: .zero)
      state.handle(.opened(id, layout, isComplete: true), at: .zero)
      #expect(actions(of: &state).contains(.fetchPage(PageIndex(0), id)))
      let code = number.isMultiple(of: 2) ? CloseCode.tooManyConnections : .done
      state.handle(.connectionLost(id, .goodbye(code.rawValue)), at: .zero)
    }
    #expect(!state.isEnded)
    #expect(state.statistics(at: .zero).peers.allSatisfy { $0.failures == 0 && $0.score == 100 })
  }

  @Test func `strangers that dial in and open nothing do not keep a download alive`() {
    var state = DownloadState(settings: DownloadSettings(), generator: SeededGenerator(seed: 1), at: .zero)
    state.handle(.addressAdded(address(1), pinned: nil), at: .zero)
    state.handle(.discoveryFinished, at: .zero)
    _ = actions(of: &state)
    for second in 0..<60 where !state.isEnded {
      let now = Instant.seconds(Double(second))
      if second == 5 { state.handle(.dialFailed(dialled, .refused), at: now) }
      let id = ConnectionID(inbound.rawValue + UInt64(second))
      state.handle(.connected(id, peerID(UInt8(second + 2)), from: nil), at: now)
      if second > 0 { state.handle(.connectionLost(ConnectionID(id.rawValue - 1), .closed), at: now) }
      if let deadline = state.deadline, deadline <= now { state.handle(.timerFired, at: now) }
      #expect(state.isEnded == (second >= 35), "after \(second) s")
    }
    guard case .failed(.unreachable, _)? = actions(of: &state).last else {
      Issue.record("the download did not end for want of peers")
      return
    }
  }

  @Test func `an address that keeps closing one connection for another does not keep a download alive`() {
    var state = DownloadState(settings: DownloadSettings(), generator: SeededGenerator(seed: 1), at: .zero)
    state.handle(.addressAdded(address(1), pinned: nil), at: .zero)
    state.handle(.discoveryFinished, at: .zero)
    var dials: [ConnectionID] = []
    for second in 0..<200 where !state.isEnded {
      let now = Instant.seconds(Double(second))
      for action in actions(of: &state) {
        guard case .dial(_, _, let id) = action else { continue }
        dials.append(id)
        state.handle(.connected(id, peerID(1)), at: now)
        state.handle(.replaced(id), at: now)
      }
      if let deadline = state.deadline, deadline <= now { state.handle(.timerFired, at: now) }
    }
    #expect(state.isEnded)
    #expect(dials.count == 1 + PeerBook.replacedBeforeFoundMax)
  }

  @Test func `if all dialled peers lied, the download waits for a peer that dialled it and left`() {
    var state = running()
    state.handle(.connected(inbound, peerID(2)), at: .zero)
    state.handle(.opened(inbound, layout, isComplete: true), at: .zero)
    state.handle(.connectionLost(inbound, .reset), at: .seconds(1))
    state.handle(.lied(dialled), at: .seconds(2))
    #expect(!state.isEnded)
    while !state.isEnded, let deadline = state.deadline { state.handle(.timerFired, at: deadline) }
    guard case .failed(.noPeers, let stats)? = actions(of: &state).last else {
      Issue.record("the download did not end without peers")
      return
    }
    #expect(stats.end == .seconds(32))
  }

  @Test func `a replaced connection costs its peer nothing, and the other one takes over`() {
    var state = running()
    #expect(actions(of: &state).contains { if case .request(dialled, _, _, _, _) = $0 { true } else { false } })
    state.handle(.connected(inbound, peerID(1)), at: .seconds(1))
    #expect(actions(of: &state) == [.disconnect(inbound, .duplicate)])
    state.handle(.replaced(dialled), at: .seconds(2))
    state.handle(.connected(inbound, peerID(1)), at: .seconds(2))
    #expect(actions(of: &state) == [.open(inbound)])
    state.handle(.opened(inbound, layout, isComplete: true), at: .seconds(2))
    #expect(actions(of: &state).contains { if case .request(inbound, _, _, _, _) = $0 { true } else { false } })
    // The address belongs to a connected peer.
    state.handle(.timerFired, at: .seconds(10))
    #expect(!actions(of: &state).contains { if case .dial = $0 { true } else { false } })
    let stats = state.statistics(at: .seconds(10))
    #expect(stats.retries == 0 && stats.peers.map(\.failures) == [0] && stats.peers.map(\.score) == [100])
  }

  @Test func `a busy peer whose connection is replaced is asked again only after its pause`() throws {
    var state = running()
    let request = try #require(
      actions(of: &state).compactMap { action -> RequestID? in
        if case .request(dialled, let id, _, _, _) = action { id } else { nil }
      }.first)
    state.handle(.busy(dialled, request, retryAfter: .seconds(10)), at: .seconds(1))
    state.handle(.replaced(dialled), at: .seconds(2))
    state.handle(.connected(inbound, peerID(1)), at: .seconds(2))
    state.handle(.opened(inbound, layout, isComplete: true), at: .seconds(2))
    let isRequest: (DownloadAction) -> Bool = { if case .request = $0 { true } else { false } }
    #expect(!actions(of: &state).contains(where: isRequest))
    state.handle(.timerFired, at: .seconds(11))
    #expect(actions(of: &state).contains(where: isRequest))
  }

  @Test func `peers that dial a download leave it room to dial others`() {
    var state = running()
    _ = actions(of: &state)
    var taken = 0
    for i in 0..<DownloadSettings().connectionsMax {
      state.handle(.connected(ConnectionID(inbound.rawValue + UInt64(i)), peerID(UInt8(100 + i))), at: .seconds(1))
      if actions(of: &state).contains(where: { if case .open = $0 { true } else { false } }) { taken += 1 }
    }
    #expect(taken == DownloadSettings().connectionsMax - DownloadState.hintedConnectionsMax)
    state.handle(.addressAdded(address(2), pinned: nil), at: .seconds(1))
    #expect(actions(of: &state).contains { if case .dial(address(2), _, _) = $0 { true } else { false } })
  }

  @Test func `a peer whose inbound connection is lost is dialled at its earlier address`() {
    var state = running()
    state.handle(.replaced(dialled), at: .seconds(1))
    state.handle(.connected(inbound, peerID(1)), at: .seconds(1))
    state.handle(.opened(inbound, layout, isComplete: true), at: .seconds(1))
    _ = actions(of: &state)
    state.handle(.connectionLost(inbound, .reset), at: .seconds(20))
    _ = actions(of: &state)
    state.handle(.timerFired, at: .seconds(30))
    #expect(actions(of: &state).contains { if case .dial(address(1), _, _) = $0 { true } else { false } })
  }

  @Test func `if the other connection does not come, the address is dialled again`() {
    var state = running()
    state.handle(.replaced(dialled), at: .seconds(1))
    _ = actions(of: &state)
    state.handle(.timerFired, at: .seconds(5))
    #expect(actions(of: &state).contains { if case .dial(address(1), _, _) = $0 { true } else { false } })
  }

  @Test(arguments: [0, 1, 2, 3])
  func `a peer that dialled us and then gives nothing is dialled at the address that the user named`(_ way: Int) {
    var state = running()
    state.handle(.connected(ConnectionID(inbound.rawValue + 9), peerID(9), from: ipv4(9)), at: .zero)
    state.handle(.opened(ConnectionID(inbound.rawValue + 9), layout, isComplete: true), at: .zero)
    state.handle(.connectionLost(dialled, .reset), at: .seconds(1))
    state.handle(.connected(inbound, peerID(1), from: ipv4(1)), at: .seconds(1))
    _ = actions(of: &state)
    state.handle(.timerFired, at: .seconds(3))
    #expect(!actions(of: &state).contains { if case .dial = $0 { true } else { false } })
    switch way {
    case 0: state.handle(.refused(inbound, .noSuchFile), at: .seconds(3))
    case 1: state.handle(.timerFired, at: .seconds(1) + DownloadSettings().chunkTimeout)
    case 2:
      state.handle(.opened(inbound, layout, isComplete: true), at: .seconds(3))
      state.handle(.withdrawn(inbound), at: .seconds(3))
    default: state.letGo(inbound, .silent, at: .seconds(3))
    }
    state.handle(.timerFired, at: .seconds(40))
    #expect(actions(of: &state).contains { if case .dial(address(1), _, _) = $0 { true } else { false } })
  }
}
