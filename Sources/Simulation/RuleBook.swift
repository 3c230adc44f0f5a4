// A second implementation of the engine's rules: what each event must lead to. The engine is checked against it.
//
// It calls nothing of the engine. It keeps its own records of each request, and so knows when a timeout is due, what it
// costs which peer, and when a download may fail.
import Content
import Transfer
import Wire

/// The records of one process of a getter. Call `expect` with an event, `see` with each action, then `verdict`.
struct RuleBook {
  /// A request that is neither fully verified nor given up.
  struct Asked {
    let id: RequestID
    let chunk: ChunkIndex
    let leaves: LeafRange
    let needed: UInt64
    let sent: Instant
    let isHedge: Bool
    var started: Instant?
    var began: Instant?
    var isEnded = false
    var verified: UInt64 = 0
  }

  struct Line {
    let peer: PeerID
    let requestsMax: Int
    let openDue: Instant
    var isOpen = false
    var isProven = false
    var asked: [Asked] = []
    var lastRequest: RequestID?
    var page: PageIndex?
    var pageAskedAt: Instant?
    var pageDue: Instant?
    /// The leaves that the peer has, by chunk. Nil: all.
    var held: [UInt64]?
  }

  struct Standing {
    var score = 100
    var failures = 0
    var chunks = 0
    var refusals = 0
    var refusedSince: Instant?
    var onlyRefuses = false
    var busyUntil: Instant?
  }

  struct Retry: Equatable {
    let chunk: ChunkIndex
    let peer: PeerID
    let attempt: Int
    let reason: RetryReason
    let at: Instant
    let lostRounds: Int
  }

  enum End: Equatable {
    case outOfRetries(ChunkIndex)
    case pageOutOfRetries(PageIndex)
    case withoutPeers, storage, cancelled, complete
  }

  let scenario: Scenario
  let settings: DownloadSettings
  let layout: ChunkLayout
  let pages: PageLayout
  /// By chunk, the wanted leaves and their bytes.
  let due: [UInt64]
  let dueBytes: [Int]
  /// The sum over all chunks.
  let wantedBytes: UInt64
  let files: FileBooks?
  let anchors: Set<PeerID>
  /// When the process began.
  let began: Instant

  var dials: [ConnectionID: PeerAddress] = [:]
  var addresses: [ConnectionID: PeerAddress] = [:]
  var peerOf: [ConnectionID: PeerID] = [:]
  var lines: [ConnectionID: Line] = [:]
  var standings: [PeerID: Standing] = [:]
  var joined: [PeerID] = []
  var banned: Set<PeerID> = []
  /// Peers that gave a full verified request; peers that the user named; peers that let a request time out since.
  var proven: Set<PeerID> = []
  var named: Set<PeerID> = []
  var silent: Set<PeerID> = []
  /// Peers that the user named, and peers met at an address that the user named. They count as named with the file
  /// open.
  var namedPeers: Set<PeerID> = []
  /// Peers that opened the file at a dialled address; and peers whose last connection with the file open was inbound.
  var dialled: Set<PeerID> = []
  var cameIn: Set<PeerID> = []
  var groups: [PeerID: AddressGroup] = [:]
  var namedAddresses: Set<PeerAddress> = []
  /// `namedAddresses`, and the addresses that the first discovery found.
  var firstAddresses: Set<PeerAddress> = []
  var isDiscovering = true
  /// Addresses whose dial has had a result, and when peers were lost.
  var resolvedAddresses: Set<PeerAddress> = []
  var lostAt: [PeerID: Instant] = [:]
  /// Addresses that are the getter's own.
  var dismissedAddresses: Set<PeerAddress> = []
  /// Addresses to dial again, and since when they have no connection.
  var idleSince: [PeerAddress: Instant] = [:]
  /// How often the connection to an address, or to its peer, has ended; and the addresses that had no free slot.
  var lossCounts: [PeerAddress: Int] = [:]
  var fullAddresses: Set<PeerAddress> = []
  /// How often an address had no free slot before any peer had the file; and the addresses to dial once more for that.
  var turnAways: [PeerAddress: Int] = [:]
  var awaitedAddresses: Set<PeerAddress> = []
  var bannedAddresses: Set<PeerAddress> = []
  /// The only peer that may answer at an address.
  var pins: [PeerAddress: PeerID] = [:]

  var isRunning = false
  var told = ReportTally()
  var hasStarted = false
  var hasEnded = false
  var verified: [UInt64]
  var troubles: [Troubled: Trouble] = [:]
  /// How often an item came back within half a second.
  var promptReturns: [Troubled: Int] = [:]
  /// After a lost round, an item waits at least until the first time and at most until the second.
  var restAtLeast: [Troubled: Instant] = [:]
  var restAtMost: [Troubled: Instant] = [:]
  var restUntil: [Instant?]
  var pagesVerified: Set<PageIndex> = []
  /// Pages from a journal or a peer whose chunks are being compared with the disk. No peer is asked for them.
  var pagesHeld: Set<PageIndex> = []
  /// The pages of `pagesHeld` that a peer gave. Further requests may wait for them.
  var pagesArrived: Set<PageIndex> = []
  /// Whether shared chunks are being compared with the disk. No peer is asked for them.
  var isComparingShared = false
  var consumedBelow = 0
  /// The seconds that chunks took, and their sizes.
  var turnarounds: [Double] = []
  var turnaroundSizes: [Double] = []
  /// The highest rate of any answer, in bytes a second, and the longest patience so far.
  var rateMost = 0.0
  var patienceMost = Duration.zero
  var duplicateBytes: UInt64 = 0
  var unusableSince: Instant?
  /// Since when no peer had the file, none was dialled, and all connections were inbound.
  var hopelessSince: Instant?
  /// When the first peer was found to have the file.
  var foundAt = Instant.zero
  var lastProgress: Instant
  /// When a leaf was last verified, or storage became ready.
  var lastLeaf: Instant
  /// When a leaf was last verified, the reader of a stream last took something, or the process began.
  var lastGain: Instant
  /// When the reader of a stream last held the download up or took something.
  var lastReading: Instant
  /// When a trusted peer could last give something.
  var lastHope: Instant
  /// Since when strangers have been late with requests that a trusted peer could take over.
  var lateSince: [RequestName: Instant] = [:]
  /// Since when the only request of an unmeasured download has been late while a trusted peer is idle.
  var hedgeDueSince: Instant?

  // Counts that the statistics must show.
  var retryCount = 0
  var hedgeCount = 0
  var newBytes: UInt64 = 0
  var gapBytes: UInt64 = 0
  var resumedChunks = 0

  // State of the current step.
  var expectedCancels: Set<RequestName> = []
  var seenCancels: Set<RequestName> = []
  /// Requests taken back from one peer's queue, to be sent to another peer at once.
  var takenBack: Set<ChunkIndex> = []
  /// The last request that was cancelled because its peer was late.
  var lateLoss: (peer: PeerID, chunk: ChunkIndex, connection: ConnectionID, hasBegun: Bool)?
  /// Files of a folder that the step completes.
  var expectedFiles: Set<UInt32> = []
  var expectedBans: Set<PeerID> = []
  var seenBans: Set<PeerID> = []
  /// Failures without a report so far.
  var expectedFailures: [PeerID: Int] = [:]
  /// Allowed ends. If several are due at one moment, any of them may come.
  var expectedEnds: [End] = []
  /// Timers that are due at this moment.
  var dueCount = 0
  /// Reports of retries may be held back until the download has started.
  var expectedRetries: [Retry] = []
  var broken: String?

  struct RequestName: Hashable {
    let connection: ConnectionID
    let request: RequestID
  }

  init(_ scenario: Scenario, at now: Instant) {
    self.scenario = scenario
    settings = scenario.settings
    layout = scenario.layout
    pages = PageLayout(scenario.layout, chunksPerPage: scenario.chunksPerPage)
    let layout = layout
    let wanted = settings.wanted
    let due = (0..<UInt32(layout.chunkCount)).map {
      layout.leaves(of: ChunkIndex($0)).mask & wanted.mask(of: ChunkIndex($0))
    }
    self.due = due
    dueBytes = due.enumerated().map { layout.length(ofLeaves: $1, in: ChunkIndex(UInt32($0))) }
    wantedBytes = UInt64(dueBytes.reduce(0, +))
    files = layout.folder.map { FileBooks($0, due: due) }
    anchors = Set(scenario.peers.filter(\.isAnchor).map(\.id))
    verified = Array(repeating: 0, count: layout.chunkCount)
    restUntil = Array(repeating: nil, count: layout.chunkCount)
    began = now
    lastProgress = now
    lastLeaf = now
    lastGain = now
    lastHope = now
    lastReading = now
  }

  mutating func breakRule(_ rule: String) { if broken == nil { broken = rule } }

  func whole(_ chunk: ChunkIndex) -> UInt64 { layout.leaves(of: chunk).mask }
  /// Whether all wanted leaves of a chunk are there.
  func isHad(_ chunk: ChunkIndex) -> Bool { missing(Int(chunk.rawValue)) == 0 }
  func missing(_ chunk: Int) -> UInt64 { due[chunk] & ~verified[chunk] }
  var isAllHad: Bool { due.indices.allSatisfy { missing($0) == 0 } }

  /// Returns the connections on which a chunk is requested.
  func askers(of chunk: ChunkIndex) -> [(id: ConnectionID, asked: Asked)] {
    var askers: [(ConnectionID, Asked)] = []
    for (id, line) in lines { for asked in line.asked where asked.chunk == chunk { askers.append((id, asked)) } }
    return askers
  }

  func isBusy(_ peer: PeerID, at now: Instant) -> Bool { standings[peer]?.busyUntil.map { $0 > now } ?? false }

  /// A dial or its connection has failed, and the address may be dialled again.
  mutating func leave(_ id: ConnectionID, at now: Instant) {
    countLoss(id)
    guard let address = addresses[id] else { return }
    resolvedAddresses.insert(address)
    if !bannedAddresses.contains(address) { idleSince[address] = now }
  }

  /// A connection has ended. The next dials of its address, and of its peer's other addresses, come later.
  mutating func countLoss(_ id: ConnectionID) {
    let others = peerOf[id].map { peer in addresses.filter { peerOf[$0.key] == peer }.values.map { $0 } } ?? []
    for address in Set(others + [addresses[id]].compactMap { $0 }) { lossCounts[address, default: 0] += 1 }
  }

  /// The longest delay before an address is dialled again after a loss: 1 s, 2, 4, … up to 30 s, but at least 5 s if it
  /// had no free slot. One second is added for rounding.
  private func redialDelayMax(_ address: PeerAddress) -> Duration {
    let first: Duration = fullAddresses.contains(address) ? .seconds(5) : .seconds(1)
    return min(first * (1 << min(max(0, lossCounts[address, default: 1] - 1), 5)), .seconds(30)) + .seconds(1)
  }

  // MARK: Score

  mutating func fail(_ peer: PeerID) {
    standings[peer, default: Standing()].score = max(0, standings[peer, default: Standing()].score - 25)
    standings[peer]!.failures += 1
    expectedFailures[peer, default: 0] += 1
  }

  mutating func succeed(_ peer: PeerID, in latency: Duration) {
    let gain = latency < .milliseconds(100) ? 20 : latency < .seconds(1) ? 10 : 5
    standings[peer, default: Standing()].score = min(200, standings[peer, default: Standing()].score + gain)
  }

  // MARK: Clocks

  mutating func startClock(_ id: ConnectionID, at now: Instant) {
    guard let place = lines[id]?.asked.firstIndex(where: { !$0.isEnded }) else { return }
    if lines[id]!.asked[place].started == nil { lines[id]!.asked[place].started = now }
  }

  func chunkDue(_ line: Line) -> Instant? { line.asked.first?.started.map { $0 + settings.chunkTimeout } }

  /// Returns what should have happened before now and did not.
  mutating func overdue(at now: Instant) -> String? {
    if let overdue = overdueEnd(at: now) { return overdue }
    for (id, line) in lines {
      if let due = chunkDue(line), due < now { return "the timeout of a chunk on \(id.rawValue) is missed" }
      if let due = line.pageDue, due < now { return "the timeout of a page on \(id.rawValue) is missed" }
      if !line.isOpen, line.openDue < now { return "the timeout of OPEN on \(id.rawValue) is missed" }
    }
    if dials.count < settings.dialsMax {
      for (address, since) in idleSince
      where !joined.isEmpty || awaitedAddresses.contains(address)
        || isPatient(at: now) && namedAddresses.contains(address)
      {
        if max(since, foundAt) + redialDelayMax(address) < now { return "port \(address.port) is not dialled again" }
      }
    }
    if settings.patience != .none { return overdueWait(at: now) }
    if let since = unusableSince, since + settings.chunkTimeout < now {
      return "the download should have ended without peers"
    }
    return nil
  }

  /// The first request in the queue has failed.
  mutating func spend(_ asked: Asked, of peer: PeerID, _ reason: RetryReason, hasLeft: Bool = false) {
    if isHad(asked.chunk) { return }
    fail(.chunk(Int(asked.chunk.rawValue)), by: peer, reason, hasLeft: hasLeft)
  }

  mutating func failPage(
    _ id: ConnectionID, _ reason: RetryReason, hasLeft: Bool = false, wasSilent: Bool = false
  ) {
    guard let line = lines[id], let page = line.page else { return }
    lines[id]!.page = nil
    lines[id]!.pageDue = nil
    lines[id]!.pageAskedAt = nil
    if pagesVerified.contains(page) { return }  // another peer has delivered it
    fail(.page(page), by: line.peer, reason, hasLeft: hasLeft, wasSilent: wasSilent)
  }
}
