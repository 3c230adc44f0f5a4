// When a stream gives up on peers that have none of the chunks that it can use now.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct StreamEndsTests {
  private let layout = ChunkLayout(fileLength: 8 << 20)!

  /// Returns a stream with a window of two chunks, and a peer that has only the last chunk.
  /// - `had`: chunks that are on the disk.
  private func stream(had: Range<UInt32>) -> DownloadState {
    var settings = DownloadSettings()
    settings.order = .inOrder(windowChunks: 2)
    var state = DownloadState(settings: settings, generator: SeededGenerator(seed: 1), at: .zero)
    let id = ConnectionID(1)
    let leaves = had.map { (chunk: ChunkIndex($0), mask: layout.leaves(of: ChunkIndex($0)).mask) }
    for event: DownloadEvent in [
      .addressAdded(address(1), pinned: nil), .discoveryFinished, .connected(id, peerID(1)),
      .opened(id, layout, isComplete: false),
      .have(id, [LeafRun(chunk: ChunkIndex(7), leaves: layout.leaves(of: ChunkIndex(7)))]),
      .storageReady(Resumable(pages: [PageIndex(0)], leaves: leaves)),
    ] { state.handle(event, at: .zero) }
    return state
  }

  private func pass(_ state: inout DownloadState, until end: Instant) {
    while let deadline = state.deadline, deadline <= end { state.handle(.timerFired, at: deadline) }
  }

  @Test func `a stream ends when no peer has anything of its window`() {
    var state = stream(had: 0..<0)
    pass(&state, until: .seconds(29))
    #expect(!state.isEnded)
    pass(&state, until: .seconds(30))
    #expect(state.isEnded)
  }

  @Test func `a stream that waits for its reader keeps a peer that has the end of the file`() {
    var state = stream(had: 0..<2)
    pass(&state, until: .seconds(70))
    #expect(!state.isEnded)
    state.handle(.consumed(below: ChunkIndex(2)), at: .seconds(70))
    pass(&state, until: .seconds(99))
    #expect(!state.isEnded)
    pass(&state, until: .seconds(100))
    #expect(state.isEnded)
  }

  @Test func `a stream asks another peer for its next page if the first one does not send it`() {
    var settings = DownloadSettings()
    settings.order = .inOrder(windowChunks: 1)
    (settings.maxWorkers, settings.requestsInFlightMax, settings.chunksPerPage) = (1, 1, 2)
    var state = DownloadState(settings: settings, generator: SeededGenerator(seed: 1), at: .zero)
    for event: DownloadEvent in [
      .addressAdded(address(1), pinned: nil), .addressAdded(address(2), pinned: nil), .discoveryFinished,
      .connected(ConnectionID(1), peerID(1)), .opened(ConnectionID(1), layout, isComplete: true),
      // More chunks are listed than all pipelines hold, and all of them are beyond the window.
      .storageReady(Resumable(pages: [PageIndex(1), PageIndex(2), PageIndex(3)])),
      .connected(ConnectionID(2), peerID(2)), .opened(ConnectionID(2), layout, isComplete: true),
    ] { state.handle(event, at: .zero) }
    pass(&state, until: .seconds(3))
    var asked: [ConnectionID] = []
    while let action = state.nextAction() { if case .fetchPage(PageIndex(0), let id) = action { asked.append(id) } }
    #expect(asked == [ConnectionID(1), ConnectionID(2)])
  }
}
