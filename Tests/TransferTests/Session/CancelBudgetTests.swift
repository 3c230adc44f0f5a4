// A peer that asks and takes back without end is answered BUSY; an honest download never is, however often it cancels.
import Content
import Testing
import Wire

@testable import Transfer

/// A session at which a peer has opened a small file as handle 1.
private struct Server {
  private let file: SmallFile
  private var session: PeerSession
  private var lastID: UInt32 = 0
  private(set) var lookUpCount = 0
  private(set) var promiseCount = 0
  var isEnded: Bool { session.isEnded }

  init() {
    var pair = SessionPair(1)
    _ = pair.open(0)
    (file, session) = (pair.files[0], pair.serving)
  }

  /// Takes a message; returns what is sent.
  @discardableResult
  mutating func receive(_ message: Message, at now: Instant) -> [Message] {
    session.handle(message, at: now)
    var sent: [Message] = []
    while let action = session.nextAction() {
      switch action {
      case .send(let message): sent.append(message)
      case .lookUp(let open): session.answer(open, .file(file.served), at: now)
      case .admit(let request):
        lookUpCount += 1
        session.admit(request, isHeld: true)
      case .promise: promiseCount += 1
      default: break
      }
    }
    return sent
  }

  /// Asks for all leaves of a chunk. True if the request is queued; false if the answer is BUSY.
  mutating func request(_ handle: UInt32 = 1, at now: Instant = .zero) -> Bool {
    lastID += 1
    let request = ChunkRequest(
      id: RequestID(lastID), handle: FileHandle(handle), chunk: ChunkIndex(0), leaves: LeafRange(first: 0, count: 8),
      wantsLeafHashes: true)
    return receive(.request(request), at: now).isEmpty
  }

  mutating func cancel(at now: Instant = .zero) { receive(.cancel(RequestID(lastID)), at: now) }

  mutating func open(_ handle: UInt32, at now: Instant = .zero) {
    let key = file.target.key
    let proof = key.openProof(SessionPair.hash, sender: .dialer)
    receive(.open(Open(handle: FileHandle(handle), bucket: key.bucket, proof: proof)), at: now)
  }

  /// Sends the next piece.
  mutating func send() -> UploadPiece? { if case .piece(let piece)? = session.nextUpload() { piece } else { nil } }
}

@Suite struct CancelBudgetTests {
  private let burst = Int(CancelBudget.burst)

  @Test func `a peer that asks and cancels without end gets BUSY, and nothing is looked up or promised for it`() {
    var server = Server()
    let isQueued = (0..<burst + 10_000).map { _ in
      defer { server.cancel() }
      return server.request()
    }
    #expect(isQueued == Array(repeating: true, count: burst) + Array(repeating: false, count: 10_000))
    #expect(server.lookUpCount == burst && server.promiseCount == burst && !server.isEnded)
    // It may go on at the rate of the limit.
    let queued = (0..<1_000).count { _ in
      defer { server.cancel(at: .seconds(2)) }
      return server.request(at: .seconds(2))
    }
    #expect(queued == 2 * Int(CancelBudget.perSecond))
  }

  @Test func `requests that CLOSE takes back count as those that CANCEL does`() {
    var server = Server()
    var queued = 0
    for handle in 1...UInt32(17) {
      if handle > 1 { server.open(handle) }
      for _ in 0..<64 where server.request(handle) { queued += 1 }
      server.receive(.close(FileHandle(handle)), at: .zero)
    }
    #expect(queued == burst && !server.isEnded)
  }

  @Test func `a request whose answer has begun, or is complete, does not count`() {
    var server = Server()
    var queued = 0
    for _ in 0..<2 * burst {
      for pieces in [[false], [false, true]] {
        if server.request() { queued += 1 }
        let sent = pieces.map { _ in server.send()?.isLastOfAnswer }
        #expect(sent == pieces)
        server.cancel()
      }
    }
    #expect(queued == 4 * burst)
  }

  // MARK: Honest downloads

  /// Peers of all speeds, some of which fall silent, stop in each answer, send a leaf now and then, or go.
  private func peers(_ count: Int, seed: UInt64) -> [VirtualPeer] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { number in
      var peer = VirtualPeer.slow(Double.random(in: 100_000...20_000_000, using: &random))
      peer.latency = .milliseconds(Int64.random(in: 1...300, using: &random))
      switch number % 8 {
      case 1: peer.silentFrom = .seconds(Double.random(in: 0...5, using: &random))
      case 2: peer.conduct = .stalls(afterLeaves: 8)
      case 3: peer.conduct = .dribbles(every: .milliseconds(400))
      case 4: peer.lostAt = .seconds(Double.random(in: 0...5, using: &random))
      default: break
      }
      return peer
    }
  }

  /// The most CANCELs on one connection, and in all.
  private func cancels(_ swarm: Swarm) -> (most: Int, all: Int) {
    var counts: [ConnectionID: Int] = [:]
    for record in swarm.log { if case .cancel(let id, _) = record.action { counts[id, default: 0] += 1 } }
    return (counts.values.max() ?? 0, counts.values.reduce(0, +))
  }

  @Test(arguments: [(2, 2), (8, 8), (64, 64)])
  func `a whole download cancels less on a connection than one may cancel at once`(peerCount: Int, workers: Int) {
    var all = 0
    for seed in 1...2 as ClosedRange<UInt64> {
      var settings = DownloadSettings()
      settings.maxWorkers = workers
      // The last peer is sound, so that each download can end.
      var swarm = Swarm(
        peers(peerCount - 1, seed: seed) + [.slow(5_000_000)], layout: ChunkLayout(fileLength: 80 << 20)!,
        settings: settings, seed: seed)
      swarm.run()
      #expect(swarm.isWhole && swarm.faults.isEmpty)
      let counts = cancels(swarm)
      all += counts.all
      #expect(counts.most <= 64, "\(counts), seed \(seed)")
    }
    #expect(all > 0)
  }
}
