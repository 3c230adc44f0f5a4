// A download in a zone: what it requests from peers outside, and how long a peer of the zone can delay that.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct ZoneDownloadTests {
  private static let layout = ChunkLayout(fileLength: 100 << 20)!
  private let outside = ConnectionID(1)
  private let mate = ConnectionID(2)

  /// A download with a complete peer outside its zone, and a peer in its zone that has nothing yet.
  private struct World {
    var state: DownloadState
    var now = Instant.zero
    private(set) var lines: [ConnectionID: [(request: RequestID, chunk: ChunkIndex, leaves: LeafRange)]] = [:]
    private(set) var asked: [ConnectionID: [ChunkIndex]] = [:]

    init(zone: String? = "here", order: ChunkOrder = .rarestFirst, shares: Bool = true) {
      var settings = DownloadSettings()
      settings.zone = zone.map { ZoneMembership(name: ZoneName($0)!, member: peerID(99)) }
      settings.shares = shares
      settings.order = order
      state = DownloadState(settings: settings, generator: SeededGenerator(seed: 1), at: .zero)
      for number in 1...3 as ClosedRange<UInt8> { handle(.addressAdded(address(number), pinned: nil)) }
      handle(.discoveryFinished)
    }

    mutating func connect(_ number: UInt64, zone: String?, isComplete: Bool) {
      let id = ConnectionID(number)
      handle(.connected(id, peerID(UInt8(number))))
      if let zone { handle(.zone(id, ZoneName(zone)!)) }
      handle(.opened(id, ZoneDownloadTests.layout, isComplete: isComplete))
    }

    mutating func start() {
      handle(.storageReady(Resumable()))
      handle(.pageVerified(PageIndex(0), from: nil))
    }

    mutating func handle(_ event: DownloadEvent) {
      state.handle(event, at: now)
      while let action = state.nextAction() {
        switch action {
        case .request(let id, let request, let chunk, let leaves, _):
          lines[id, default: []].append((request, chunk, leaves))
          asked[id, default: []].append(chunk)
        case .cancel(let id, let request): lines[id]?.removeAll { $0.request == request }
        default: break
        }
      }
    }

    /// Answers all requests to a peer until it has none.
    mutating func answerAll(on id: ConnectionID) {
      while let next = lines[id]?.first {
        now = now + Duration.milliseconds(50)
        lines[id]!.removeFirst()
        handle(.answerBegan(id, next.request))
        handle(.answerEnded(id, next.request))
        handle(.leavesVerified(id, next.request, next.chunk, next.leaves))
      }
    }

    /// Lets time pass. Only timers fire.
    mutating func wait(until end: Instant) {
      while let deadline = state.deadline, deadline <= end {
        now = max(now, deadline)
        handle(.timerFired)
      }
      now = max(now, end)
    }

    func has(_ chunk: Int) -> Bool { state.chunks.has(ChunkIndex(UInt32(chunk))) }
    var haveCount: Int { state.chunks.haveCount }
  }

  @Test func `a download leaves chunks of its zone's other nodes to them, until they give nothing`() throws {
    var world = World()
    world.connect(1, zone: "there", isComplete: true)
    world.connect(2, zone: "here", isComplete: false)
    world.start()
    world.answerAll(on: outside)
    let own = ZoneShares(of: peerID(99), beside: [peerID(2)])
    let expected = (0..<100).filter { own.word($0 / 64) & 1 << UInt64($0 % 64) != 0 }
    #expect((0..<100).filter { world.has($0) } == expected && expected.count > 30 && expected.count < 70)
    world.wait(until: .zero + ZoneState.patience + .seconds(1))
    world.answerAll(on: outside)
    #expect(world.haveCount == 100, "the peer of the zone has given nothing")
  }

  @Test func `strangers of the zone that come one after another delay a download once`() throws {
    var world = World()
    world.connect(1, zone: "there", isComplete: true)
    world.connect(2, zone: "here", isComplete: false)
    world.start()
    world.wait(until: .zero + ZoneState.patience + .milliseconds(1))
    world.connect(3, zone: "here", isComplete: false)
    world.answerAll(on: outside)
    #expect(world.haveCount == 100)
  }

  @Test func `chunks that a peer of the zone has are requested from it, even if another peer is faster`() throws {
    var world = World()
    world.connect(1, zone: "there", isComplete: true)
    world.connect(2, zone: "here", isComplete: true)
    world.start()
    world.answerAll(on: mate)
    #expect(world.haveCount + (world.lines[outside]?.count ?? 0) >= 100)
    #expect((world.asked[outside] ?? []).count <= 1, "\(world.asked[outside] ?? [])")
  }

  @Test func `a download fetches from outside the chunks that a liar of its zone should have brought`() throws {
    var world = World()
    world.connect(1, zone: "there", isComplete: true)
    world.connect(2, zone: "here", isComplete: true)
    world.start()
    world.handle(.lied(mate))
    world.answerAll(on: outside)
    #expect(world.haveCount == 100)
  }

  @Test func `a stream fetches its next chunks from any peer`() throws {
    var world = World(order: .inOrder(windowChunks: 16), shares: false)
    world.connect(1, zone: "there", isComplete: true)
    world.connect(2, zone: "here", isComplete: false)
    world.start()
    world.answerAll(on: outside)
    #expect((0..<16).allSatisfy { world.has($0) })
  }

  @Test func `a download that does not share brings no chunk into the zone that others bring`() throws {
    var world = World(shares: false)
    world.connect(1, zone: "there", isComplete: true)
    world.connect(2, zone: "here", isComplete: false)
    world.start()
    #expect(world.lines[outside, default: []].isEmpty)
  }

  @Test func `zones do not matter to a node without one`() throws {
    var world = World(zone: nil)
    world.connect(1, zone: "there", isComplete: true)
    world.connect(2, zone: "here", isComplete: false)
    world.start()
    world.answerAll(on: outside)
    #expect(world.haveCount == 100)
    #expect(world.state.statistics(at: world.now).zones == nil)
  }

  @Test func `bytes are counted by zone`() throws {
    var world = World()
    world.connect(1, zone: nil, isComplete: true)
    world.connect(3, zone: "there", isComplete: false)
    world.start()
    world.answerAll(on: outside)
    let zones = try #require(world.state.statistics(at: world.now).zones)
    #expect(zones.own == 0 && zones.other == 0 && zones.unknown == UInt64(100 << 20))
  }
}
