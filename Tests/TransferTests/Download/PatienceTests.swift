// How a download waits for peers: what it does meanwhile, when it continues, and when it ends.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct PatienceTests {
  private let layout = ChunkLayout(fileLength: 4 << 20)!

  /// A download on virtual time. Each dial is answered at once, as `isUp` says.
  private struct Run {
    var state: DownloadState
    var now = Instant.zero
    /// Whether the peer listens; if not, dials are refused.
    var isUp = false
    /// Whether the peer has the file.
    var hasFile = true
    var dials: [Instant] = []
    var opened: ConnectionID?
    var asked: [(connection: ConnectionID, request: RequestID, chunk: ChunkIndex)] = []
    var ending: DownloadFailure?
    var hasFinished = false

    init(_ patience: PeerPatience, maxRetries: Int = 3) {
      var settings = DownloadSettings()
      settings.patience = patience
      settings.maxRetries = maxRetries
      state = DownloadState(settings: settings, generator: SeededGenerator(seed: 1), at: .zero)
      handle(.addressAdded(address(1), pinned: nil))
      handle(.discoveryFinished)
    }

    mutating func handle(_ event: DownloadEvent) {
      state.handle(event, at: now)
      while let action = state.nextAction() {
        switch action {
        case .dial(_, _, let id):
          dials.append(now)
          handle(isUp ? .connected(id, peerID(1)) : .dialFailed(id, .refused))
        case .open(let id):
          opened = hasFile ? id : nil
          handle(hasFile ? .opened(id, ChunkLayout(fileLength: 4 << 20)!, isComplete: true) : .refused(id, .noSuchFile))
        case .prepareStorage: handle(.storageReady(Resumable(pages: [PageIndex(0)])))
        case .request(let id, let request, let chunk, _, _): asked.append((id, request, chunk))
        case .failed(let failure, _): ending = failure
        case .finished: hasFinished = true
        default: break
        }
      }
    }

    mutating func pass(until end: Instant) {
      while ending == nil, !hasFinished, let deadline = state.deadline, deadline <= end {
        now = max(now, deadline)
        handle(.timerFired)
      }
      if ending == nil, !hasFinished { now = max(now, end) }
    }

    /// Answers all requests until the download ends.
    mutating func give() {
      while !asked.isEmpty, !hasFinished {
        let (id, request, chunk) = asked.removeFirst()
        handle(.leavesVerified(id, request, chunk, LeafRange(first: 0, count: 64)))
      }
    }

    mutating func goDown() {
      isUp = false
      if let id = opened.take() { handle(.connectionLost(id, .reset)) }
      asked = []
    }
  }

  // MARK: Before any peer had the file

  @Test func `without patience a download without peers ends at once`() {
    var run = Run(.none)
    run.pass(until: .seconds(60))
    #expect(run.dials == [.zero] && run.ending != nil && run.now == .zero)
    #expect(run.state.endedWait == nil)
  }

  @Test func `a download that starts before its peer finishes`() {
    var run = Run(.upTo(.seconds(300)))
    run.pass(until: .seconds(200))
    #expect(run.ending == nil)
    run.isUp = true
    run.pass(until: .seconds(211))
    run.give()
    #expect(run.hasFinished)
  }

  @Test func `a named peer is dialled again after 1, 2, 4 and 8 s, then every 10 s`() {
    var run = Run(.forever)
    run.pass(until: .seconds(46))
    #expect(run.dials == [0, 1, 3, 7, 15, 25, 35, 45].map { Instant.seconds($0) })
    run.pass(until: .seconds(100_000))
    #expect(run.ending == nil && run.dials.count == 8 + 9995)
  }

  @Test func `the download ends when its patience is over, and reports how long it waited`() throws {
    var run = Run(.upTo(.seconds(20)))
    run.pass(until: .seconds(300))
    guard case .unreachable(let reports) = run.ending else {
      Issue.record("\(String(describing: run.ending))")
      return
    }
    #expect(run.now == .seconds(20) && reports.map(\.outcome) == [.dialFailed(.refused)])
    let wait = try #require(run.state.endedWait)
    #expect(wait.state == .anyPeer && wait.waited == .seconds(20) && wait.limit == .seconds(20))
  }

  @Test func `a peer that lacks the file is asked again`() {
    var run = Run(.upTo(.seconds(60)))
    (run.isUp, run.hasFile) = (true, false)
    run.pass(until: .seconds(30))
    #expect(run.ending == nil && run.dials.count > 3)
    run.hasFile = true
    run.pass(until: .seconds(41))
    run.give()
    #expect(run.hasFinished)
  }

  @Test func `a download that no peer admits ends at once`() {
    let run = Run(.forever)
    var state = DownloadState(
      settings: run.state.settings, generator: SeededGenerator(seed: 1), at: .zero)
    state.handle(.addressAdded(address(1), pinned: nil), at: .zero)
    state.handle(.discoveryFinished, at: .zero)
    state.handle(.dialFailed(ConnectionID(1), .notAdmitted), at: .seconds(1))
    var failures: [DownloadFailure] = []
    while let action = state.nextAction() { if case .failed(let failure, _) = action { failures.append(failure) } }
    guard case .notAdmitted? = failures.first else {
      Issue.record("\(failures)")
      return
    }
  }

  @Test func `a discovered address is forgotten after some failures, and a named one is not`() {
    var book = PeerBook(isPatient: true)
    book.add(address(1), pinned: nil, at: .zero)
    book.add(address(2), pinned: peerID(2), isHint: true, at: .zero)
    book.discoveryFinished()
    var now = Instant.zero
    for _ in 0..<20 {
      now = now + .seconds(30)
      while let (address, _) = book.nextNamedDial(at: now) { book.ended(address, .dialFailed(.refused), at: now) }
      while let (address, _) = book.nextDial(at: now) { book.ended(address, .dialFailed(.refused), at: now) }
    }
    #expect(book.reports.map(\.address) == [address(1)])
    book.add(address(2), pinned: peerID(2), isHint: true, at: now)
    #expect(book.reports.count == 2)
  }

  // MARK: After a peer had the file

  @Test func `a download whose only peer is away for long continues when it is back`() {
    var run = Run(.upTo(.seconds(600)))
    run.isUp = true
    run.pass(until: .seconds(1))
    run.goDown()
    run.pass(until: .seconds(500))
    #expect(run.ending == nil && run.state.wait(at: run.now)?.state == .peerWithRest)
    run.isUp = true
    run.pass(until: .seconds(511))
    #expect(run.state.wait(at: run.now) == nil)
    run.give()
    #expect(run.hasFinished)
  }

  @Test func `patience counts from the last verified leaf`() {
    var run = Run(.upTo(.seconds(100)))
    run.isUp = true
    run.pass(until: .seconds(90))
    let (id, request, chunk) = run.asked.removeFirst()
    run.handle(.leavesVerified(id, request, chunk, LeafRange(first: 0, count: 4)))
    run.goDown()
    run.pass(until: .seconds(1000))
    guard case .noPeers? = run.ending else {
      Issue.record("\(String(describing: run.ending))")
      return
    }
    #expect(run.now == .seconds(190) && run.state.endedWait?.waited == .seconds(100))
  }

  @Test func `a patience shorter than the chunk timeout ends a download no sooner than without patience`() {
    var run = Run(.upTo(.seconds(2)))
    run.isUp = true
    run.pass(until: .seconds(1))
    run.goDown()
    run.pass(until: .seconds(1000))
    #expect(run.now == .seconds(31))
  }

  // MARK: Retries

  @Test func `a chunk that is out of retries is still tried, and ends the download when patience is over`() {
    var run = Run(.upTo(.seconds(400)))
    run.isUp = true
    run.pass(until: .seconds(250))
    let wait = run.state.wait(at: run.now)
    #expect(run.ending == nil && wait?.state == .chunk(run.asked[0].chunk) && wait?.waited == .seconds(249))
    // The peer was there after 1 s. Four tries of 30 s and their delays end after 124 s.
    #expect(run.asked.count > 5)
    run.pass(until: .seconds(1000))
    #expect(run.ending == .outOfRetries(run.asked[0].chunk) && run.now == .seconds(401))
  }

  @Test func `retries start afresh when the peer comes back`() {
    var run = Run(.upTo(.seconds(400)), maxRetries: 0)
    run.isUp = true
    run.pass(until: .seconds(200))
    #expect(run.state.rounds.firstOutOfRetries(retriesMax: 0) != nil)
    run.goDown()
    run.isUp = true
    run.pass(until: .seconds(212))
    #expect(run.state.rounds.firstOutOfRetries(retriesMax: 0) == nil)
    run.give()
    #expect(run.hasFinished)
  }

  // MARK: What is said

  @Test func `a waiting download reports its next dial`() {
    var run = Run(.upTo(.seconds(300)))
    run.pass(until: .seconds(12))
    let wait = run.state.wait(at: run.now)
    #expect(wait?.state == .anyPeer && wait?.waited == .seconds(12) && wait?.limit == .seconds(300))
    #expect(wait?.nextDial == PeerWait.Dial(address: address(1), delay: .seconds(3)))
  }

  @Test func `the search of a patient download forgets its finds now and then`() {
    let key = FileKey(FileID(kind: .file, length: 7, root: .zero), swarm: nil)
    var search = DiscoverySearch(
      key: key, own: peerID(9), asksNetwork: false, firstPhase: .zero, isPatient: true,
      generator: SeededGenerator(seed: 1), at: .zero)
    func isFound(at now: Instant) -> Bool {
      search.handle(.localNode(address(1), peerID(1)), at: now)
      var found = false
      while let action = search.nextAction() { if case .found = action { found = true } }
      return found
    }
    #expect(isFound(at: .zero))
    #expect(!isFound(at: .seconds(100)))
    search.handle(.timerFired, at: .seconds(121))
    #expect(isFound(at: .seconds(121)))
  }
}
