// A download among strangers on virtual time. One honest peer is complete, reachable and named by the user; all others
// do what the plan says. The events are those of the node, in an order in which it may report them.
import Content

@testable import Transfer
@testable import Wire

struct DownloadWorld {
  enum Thing {
    case event(DownloadEvent, ConnectionID?, RequestID?)
    case joins(stranger: Int)
    case cutsHonest
    case kill
  }

  /// A connection that has not ended as far as the download knows.
  struct Line {
    /// The number of its stranger. Nil for the honest peer.
    let stranger: Int?
    let peer: PeerID
    /// When the sender is free for its next answer.
    var freeAt: Instant
    var isOpen = false
    var lastRequest: RequestID?
    /// Requests without an end, with the leaves that are due.
    var asked: [RequestID: (chunk: ChunkIndex, leaves: LeafRange)] = [:]
    /// The leaves that the peer claims to have. Nil: all.
    var claims: [ChunkIndex: UInt64]?
  }

  static let honest = PeerID(digest: Digest(sha256: Array("honest".utf8).span.bytes))
  static let honestAddress = address(host: 250, port: 9800)

  let plan: DownloadPlan
  var state: DownloadState
  var now = Instant.zero
  var agenda = Agenda<Thing>()
  var lines: [ConnectionID: Line] = [:]
  var journal: JournalState
  var journalBytes: [UInt8]
  /// Leaves that are on the disk.
  var written: [ChunkIndex: UInt64] = [:]
  /// Leaves on the disk that the current process knows of.
  var known: [ChunkIndex: UInt64] = [:]
  var ending: DownloadAction?
  var visits = 0
  private var visitsByStranger: [Int: Int] = [:]
  private var answersGiven: [Int: Int] = [:]
  private var nextInbound: UInt64 = 0

  init(_ plan: DownloadPlan) {
    self.plan = plan
    state = DownloadState(settings: plan.settings, generator: SeededGenerator(seed: plan.seed), at: .zero)
    journalBytes = JournalContents.opening(JournalHeader(DownloadWorld.manifest(plan.layout), name: "a"))
    journal = JournalState(
      after: JournalContents(decoding: journalBytes), in: plan.layout, settings: DownloadWorld.journalSettings)
  }

  static func manifest(_ layout: ChunkLayout) -> Manifest {
    Manifest(kind: layout.folder == nil ? .file : .folderContents, layout: layout, root: .zero, suggestedName: "a")
  }

  static let journalSettings: JournalSettings = {
    var settings = JournalSettings()
    settings.unsyncedBytesMax = 32
    return settings
  }()

  static func address(host: UInt8, port: UInt16) -> PeerAddress {
    PeerAddress(ip: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, host], port: port)
  }

  func address(of stranger: Int) -> PeerAddress {
    DownloadWorld.address(
      host: plan.strangers[stranger].sharesAddress ? 1 : UInt8(10 + stranger), port: UInt16(9000 + stranger))
  }

  mutating func post(
    _ event: DownloadEvent, after delay: Duration, _ id: ConnectionID? = nil, _ request: RequestID? = nil
  ) {
    agenda.add(.event(event, id, request), at: now + delay)
  }

  // MARK: Strangers

  /// Returns the PeerID for the next connection of a stranger.
  private mutating func identity(of stranger: Int) -> PeerID {
    let visit = plan.strangers[stranger].changesIdentity ? visitsByStranger[stranger, default: 0] : 0
    return PeerID(digest: Digest(sha256: [UInt8(stranger), UInt8(visit >> 8), UInt8(visit & 255)].span.bytes))
  }

  /// Returns the PeerID of a new visit. Nil if there were enough visits.
  private mutating func visit(by stranger: Int) -> PeerID? {
    guard visits < plan.visitsMax else { return nil }
    visits += 1
    defer { visitsByStranger[stranger, default: 0] += 1 }
    return identity(of: stranger)
  }

  mutating func joins(_ stranger: Int) {
    let address = address(of: stranger)
    switch plan.strangers[stranger].entry {
    case .named: handle(.addressAdded(address, pinned: nil))
    case .hinted: handle(.addressHinted(address, identity(of: stranger)))
    case .toldOf:
      let told = PeerExchange.Entry(ip: address.ip, port: address.port, peer: identity(of: stranger))
      // It also claims that the honest peer has another PeerID or another address.
      let wrong = [
        PeerExchange.Entry(ip: DownloadWorld.honestAddress.ip, port: 9800, peer: told.peer),
        PeerExchange.Entry(ip: address.ip, port: address.port, peer: DownloadWorld.honest),
      ]
      let teller = lines.filter { $0.value.stranger != nil && $0.value.isOpen }.keys.min()
      if let teller { handle(.peers(teller, [told] + wrong)) } else { dialsIn(stranger) }
    case .dialsIn: dialsIn(stranger)
    }
  }

  private mutating func dialsIn(_ stranger: Int) {
    guard let peer = visit(by: stranger) else { return }
    let id = ConnectionID(ConnectionID.firstInbound.rawValue + nextInbound)
    nextInbound += 1
    lines[id] = Line(stranger: stranger, peer: peer, freeAt: now)
    handle(.connected(id, peer, requestsMax: 1 + visits % 64, from: address(of: stranger).ip))
  }

  /// A connection has ended. Its stranger may come back.
  mutating func isGone(_ id: ConnectionID) {
    guard let line = lines.removeValue(forKey: id), let stranger = line.stranger,
      let delay = plan.strangers[stranger].returnsAfter
    else { return }
    agenda.add(.joins(stranger: stranger), at: now + delay)
  }

  mutating func dialled(_ address: PeerAddress, pinned: PeerID?, _ id: ConnectionID) {
    if address == DownloadWorld.honestAddress {
      let isMeant = pinned == nil || pinned == DownloadWorld.honest
      guard isMeant else { return post(.dialFailed(id, .wrongPeer), after: plan.latency) }
      lines[id] = Line(stranger: nil, peer: DownloadWorld.honest, freeAt: now)
      return post(.connected(id, DownloadWorld.honest), after: plan.latency, id)
    }
    guard let stranger = plan.strangers.indices.first(where: { self.address(of: $0) == address }),
      let peer = visit(by: stranger)
    else { return post(.dialFailed(id, .refused), after: .milliseconds(1)) }
    let latency = plan.strangers[stranger].latency
    if let pinned, pinned != peer { return post(.dialFailed(id, .wrongPeer), after: latency) }
    if plan.strangers[stranger].opening == .closes && visits % 2 == 0 {
      let failures: [DialFailure] = [.refused, .unreachable, .notAdmitted, .handshake, .timedOut, .ourselves]
      return post(.dialFailed(id, failures[visits % failures.count]), after: latency)
    }
    lines[id] = Line(stranger: stranger, peer: peer, freeAt: now)
    post(.connected(id, peer), after: latency, id)
  }

  mutating func opens(_ id: ConnectionID) {
    guard let stranger = lines[id]?.stranger else {
      return post(.opened(id, plan.layout, isComplete: true), after: plan.latency, id)
    }
    let plan = plan.strangers[stranger]
    switch plan.opening {
    case .complete: post(.opened(id, self.plan.layout, isComplete: true), after: plan.latency, id)
    case .partial: opensInPart(id, plan)
    case .notFound: post(.refused(id, .noSuchFile), after: plan.latency, id)
    case .refuses: post(.refused(id, visits & 1 == 0 ? .tooManyFilesOpen : .notAllowed), after: plan.latency, id)
    case .silent: post(.connectionLost(id, plan.loss), after: .seconds(45), id)
    case .closes: post(.connectionLost(id, plan.loss), after: plan.latency, id)
    case .lies: post(.lied(id), after: plan.latency, id)
    case .withdraws:
      post(.opened(id, self.plan.layout, isComplete: true), after: plan.latency, id)
      post(.withdrawn(id), after: plan.latency, id)
    }
  }

  private mutating func opensInPart(_ id: ConnectionID, _ stranger: Stranger) {
    let count = plan.layout.chunkCount
    post(.opened(id, plan.layout, isComplete: false), after: stranger.latency, id)
    var bits = [UInt8](repeating: 0, count: (count + 7) / 8)
    switch stranger.claim {
    case .everything: for i in 0..<count { bits[i / 8] |= 0x80 >> UInt8(i % 8) }
    case .lastChunk: bits[(count - 1) / 8] |= 0x80 >> UInt8((count - 1) % 8)
    case .firstChunk: bits[0] |= 0x80
    case .nothing, .nonsense: break
    }
    let bitmap = Bitmap(handle: FileHandle(1), firstChunk: ChunkIndex(0), count: count, bits: bits)
    post(.bitmap(id, bitmap), after: stranger.latency, id)
    post(.promised(id, [ChunkIndex(0), ChunkIndex(UInt32(count)), ChunkIndex(.max)]), after: stranger.latency, id)
    guard stranger.claim == .nonsense else { return }
    let runs = [0, UInt32(count - 1), UInt32(count), UInt32.max].flatMap { chunk in
      [LeafRange(first: 0, count: 1), LeafRange(first: 3, count: 61)].map {
        LeafRun(chunk: ChunkIndex(chunk), leaves: $0)
      }
    }
    post(.have(id, runs), after: stranger.latency, id)
  }

  /// Returns what a connection does with its next page or request.
  mutating func answer(_ id: ConnectionID, isPage: Bool) -> (Stranger.Answer, Duration, LossReason) {
    guard let stranger = lines[id]?.stranger else { return (.honest, plan.latency, .closed) }
    let (conduct, count) = (plan.strangers[stranger], answersGiven[stranger, default: 0])
    answersGiven[stranger] = count + 1
    let answers = isPage ? conduct.pages : conduct.requests
    return (answers[count % answers.count], conduct.latency, conduct.loss)
  }
}
