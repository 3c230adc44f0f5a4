// A peer that closes at the right moment gains nothing by it, and a peer is not blamed for a slow disk.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct ReviewDownloadTests {
  let layout = ChunkLayout(fileLength: 8 << 20)!

  /// Returns a download with one peer that has opened the file and owes the first page.
  func running() -> DownloadState {
    var state = DownloadState(settings: DownloadSettings(), generator: SeededGenerator(seed: 1), at: .zero)
    state.handle(.addressAdded(address(1), pinned: nil), at: .zero)
    state.handle(.discoveryFinished, at: .zero)
    state.handle(.connected(ConnectionID(1), peerID(1)), at: .zero)
    state.handle(.opened(ConnectionID(1), layout, isComplete: true), at: .zero)
    state.handle(.storageReady(Resumable()), at: .zero)
    return state
  }

  func actions(_ state: inout DownloadState) -> [DownloadAction] {
    var all: [DownloadAction] = []
    while let action = state.nextAction() { all.append(action) }
    return all
  }

  @Test func `a liar that closes before its lie is found is still banned`() {
    var state = running()
    state.handle(.pageVerified(PageIndex(0), from: ConnectionID(1)), at: .milliseconds(1))
    state.handle(.answerEnded(ConnectionID(1), RequestID(1)), at: .milliseconds(2))
    state.handle(.connectionLost(ConnectionID(1), .truncated), at: .milliseconds(3))
    state.handle(.lied(ConnectionID(1)), at: .milliseconds(4))
    let all = actions(&state)
    #expect(all.contains(.report(.peerBanned(peerID(1)))))
    guard case .failed(.everyPeerLied, _)? = all.last else {
      Issue.record("it goes on: \(all)")
      return
    }
  }

  @Test func `a liar that has already reconnected is disconnected`() {
    var state = running()
    state.handle(.addressAdded(address(2), pinned: nil), at: .zero)
    state.handle(.connected(ConnectionID(2), peerID(2)), at: .zero)
    state.handle(.pageVerified(PageIndex(0), from: ConnectionID(1)), at: .milliseconds(1))
    state.handle(.connectionLost(ConnectionID(1), .truncated), at: .milliseconds(3))
    state.handle(.timerFired, at: .seconds(2))
    _ = actions(&state)
    state.handle(.connected(ConnectionID(3), peerID(1)), at: .seconds(2))
    state.handle(.opened(ConnectionID(3), layout, isComplete: true), at: .seconds(2))
    state.handle(.lied(ConnectionID(1)), at: .seconds(2))
    #expect(actions(&state).contains(.disconnect(ConnectionID(3), .banned)))
  }

  @Test func `a lie found before the file is open again counts as a failure`() {
    var state = running()
    state.handle(.addressAdded(address(2), pinned: nil), at: .zero)
    state.handle(.connected(ConnectionID(2), peerID(2)), at: .zero)
    state.handle(.opened(ConnectionID(2), layout, isComplete: true), at: .zero)
    state.handle(.connectionLost(ConnectionID(1), .reset), at: .milliseconds(1))
    state.handle(.timerFired, at: .seconds(2))
    state.handle(.connected(ConnectionID(3), peerID(1)), at: .seconds(2))
    state.handle(.lied(ConnectionID(3)), at: .seconds(2))
    let stats = state.statistics(at: .seconds(2))
    #expect(stats.peers.map(\.failures) == [1, 0])
    #expect(actions(&state).contains(.report(.peerBanned(peerID(1)))))
  }

  @Test func `a page that waits for the disk does not time out`() {
    var state = running()
    state.handle(.pageArrived(PageIndex(0), from: ConnectionID(1)), at: .seconds(1))
    for second in 2..<200 { state.handle(.timerFired, at: .seconds(Double(second))) }
    #expect(!state.isEnded)
    state.handle(.pageVerified(PageIndex(0), from: ConnectionID(1)), at: .seconds(200))
    let all = actions(&state)
    #expect(all.contains { if case .request = $0 { true } else { false } })
    #expect(all.filter { if case .fetchPage = $0 { true } else { false } }.count == 1)
  }
}
