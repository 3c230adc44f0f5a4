// How long a download waits for a new leaf while a trusted peer is connected.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct HopeTests {
  private let layout = ChunkLayout(fileLength: 16 << 20)!
  private let source = ConnectionID(1)

  /// A download on virtual time, with its requests.
  private struct Run {
    var state: DownloadState
    var asked: [(connection: ConnectionID, request: RequestID, chunk: ChunkIndex)] = []
    var pagesAsked: [ConnectionID] = []
    var ending: DownloadFailure?
    var now = Instant.zero

    init(_ settings: DownloadSettings = DownloadSettings()) {
      state = DownloadState(settings: settings, generator: SeededGenerator(seed: 1), at: .zero)
    }

    /// Handles an event and the actions that follow. Dials after the first one have no result.
    mutating func handle(_ event: DownloadEvent) {
      state.handle(event, at: now)
      while let action = state.nextAction() {
        switch action {
        case .request(let id, let request, let chunk, _, _): asked.append((id, request, chunk))
        case .fetchPage(_, let id): pagesAsked.append(id)
        case .dial(_, _, let id) where id != ConnectionID(1): handle(.dialFailed(id, .refused))
        case .failed(let failure, _): ending = failure
        default: break
        }
      }
    }

    mutating func pass(until end: Instant) {
      while ending == nil, let deadline = state.deadline, deadline <= end {
        now = max(now, deadline)
        handle(.timerFired)
      }
      now = max(now, end)
    }

    mutating func opens(_ id: ConnectionID, _ number: UInt8, _ layout: ChunkLayout) {
      handle(.connected(id, peerID(number), from: ipv4(number)))
      handle(.opened(id, layout, isComplete: true))
    }
  }

  @Test(arguments: [CloseCode.done, .tooManyConnections, nil])
  func `a proven peer that comes and goes without an answer does not keep a download alive`(
    _ code: CloseCode?
  ) {
    var run = Run()
    run.handle(.addressAdded(address(1), pinned: nil))
    run.handle(.discoveryFinished)
    run.opens(source, 1, layout)
    run.handle(.storageReady(Resumable(pages: [PageIndex(0)])))
    var id = ConnectionID.firstInbound
    run.opens(id, 2, layout)
    let (_, request, chunk) = run.asked.first { $0.connection == id }!
    run.now = .seconds(1)
    run.handle(.leavesVerified(id, request, chunk, layout.leaves(of: chunk)))
    run.handle(.connectionLost(source, .reset))
    while run.ending == nil, run.now < .seconds(3600) {
      // Stay for less than a timeout.
      run.pass(until: run.now + .seconds(25))
      run.handle(code.map { .connectionLost(id, .goodbye($0.rawValue)) } ?? .withdrawn(id))
      id = ConnectionID(id.rawValue + 1)
      run.opens(id, 2, layout)
    }
    guard case .noPeers? = run.ending else {
      Issue.record("\(String(describing: run.ending)) after \(run.now.inSeconds) s")
      return
    }
    // Sixteen timeouts after the last leaf.
    #expect(run.now <= .seconds(1 + 480 + 25), "\(run.now.inSeconds) s")
  }

  @Test func `a stream with a late reader does not end for lack of progress`() {
    var settings = DownloadSettings()
    settings.order = .inOrder(windowChunks: 1)
    var run = Run(settings)
    run.handle(.addressAdded(address(1), pinned: nil))
    run.handle(.discoveryFinished)
    run.opens(source, 1, layout)
    run.handle(.storageReady(Resumable(pages: [PageIndex(0)])))
    #expect(run.asked.map(\.chunk) == [ChunkIndex(0)])
    run.handle(.leavesVerified(source, run.asked[0].request, ChunkIndex(0), layout.leaves(of: ChunkIndex(0))))
    run.pass(until: .seconds(3000))
    #expect(run.ending == nil && run.asked.count == 1)
    run.handle(.consumed(below: ChunkIndex(1)))
    #expect(run.ending == nil && run.asked.last?.chunk == ChunkIndex(1))
  }

  @Test func `leaves of an earlier download count as progress when they are found`() {
    var run = Run()
    // The user did not name the peer.
    run.handle(.addressHinted(address(1), peerID(1)))
    run.handle(.discoveryFinished)
    run.opens(source, 1, layout)
    run.handle(.storageReady(Resumable()))
    run.handle(.pageArrived(PageIndex(0), from: source))
    for chunk in 0..<UInt32(8) {
      run.pass(until: run.now + .seconds(100))
      #expect(run.ending == nil, "after \(run.now.inSeconds) s")
      run.handle(.resumed([(chunk: ChunkIndex(chunk), mask: layout.leaves(of: ChunkIndex(chunk)).mask)]))
    }
    run.handle(.pageVerified(PageIndex(0), from: source))
    #expect(run.asked.last?.chunk.rawValue ?? 0 >= 8)
  }

  @Test func `a page that has arrived is not requested again or counted against a peer that leaves`() {
    var run = Run()
    run.handle(.addressAdded(address(1), pinned: nil))
    run.handle(.discoveryFinished)
    run.opens(source, 1, layout)
    run.opens(.firstInbound, 2, layout)
    run.handle(.storageReady(Resumable()))
    #expect(run.pagesAsked == [source])
    run.handle(.pageArrived(PageIndex(0), from: source))
    run.handle(.connectionLost(source, .reset))
    run.pass(until: .seconds(60))
    #expect(run.pagesAsked == [source] && run.asked.isEmpty && run.state.rounds.isEmpty && run.ending == nil)
    run.handle(.pageVerified(PageIndex(0), from: source))
    #expect(run.asked.map(\.connection) == [.firstInbound])
  }

  @Test func `a page from the journal is compared for as long as the disk takes`() {
    var run = Run()
    run.handle(.addressHinted(address(1), peerID(1)))
    run.handle(.discoveryFinished)
    run.opens(source, 1, layout)
    run.handle(.storageReady(Resumable(heldPages: [PageIndex(0)])))
    run.pass(until: .seconds(1_000))
    #expect(run.ending == nil && run.asked.isEmpty && run.pagesAsked.isEmpty)
    run.handle(.pageVerified(PageIndex(0), from: nil))
    #expect(run.asked.count == 1)
  }

  @Test func `the time to compare a page with the disk does not count against an unnamed peer`() {
    var run = Run()
    run.handle(.addressHinted(address(1), peerID(1)))
    run.handle(.discoveryFinished)
    run.opens(source, 1, layout)
    run.handle(.storageReady(Resumable()))
    run.handle(.pageArrived(PageIndex(0), from: source))
    // A page covers 1 GiB, none of which is on the disk.
    run.pass(until: .seconds(1_000))
    #expect(run.ending == nil && run.asked.isEmpty)
    run.handle(.pageVerified(PageIndex(0), from: source))
    run.pass(until: .seconds(1_001))
    #expect(run.ending == nil && run.asked.count == 1)
    // From here on the time without a leaf counts.
    run.pass(until: .seconds(1_000 + 4 * 30))
    guard case .noPeers? = run.ending else {
      Issue.record("\(String(describing: run.ending))")
      return
    }
  }
}
