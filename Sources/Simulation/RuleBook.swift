// The rules of the engine, kept a second time and by other means: what each event must lead to, held against what it does.
//
// Nothing here calls into the engine. It keeps its own books of who was asked for what and since when, and so knows when
// a timeout is due, what it costs whom, and when a download may fail.
import Content
import Transfer
import Wire

/// The books of one process of a getter. `expect` an event, `see` the actions that follow, then ask for the `verdict`.
struct RuleBook {
  /// A request that is neither verified to its end nor given up.
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
    /// By chunk, the leaves that it has; nil: all.
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
  /// By chunk, the leaves that are wanted, and their bytes.
  let due: [UInt64]
  let dueBytes: [Int]
  /// Of all chunks.
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
  /// Peers of which a full request has verified; those that the user named; those that let a request time out since.
  var proven: Set<PeerID> = []
  var named: Set<PeerID> = []
  var silent: Set<PeerID> = []
  /// Peers that the user named, or that were met at an address that the user named. They count as named once they have
  /// the file open.
  var namedPeers: Set<PeerID> = []
  /// Peers that had the file open at an address, and those that dialled the connection on which they opened it last.
  var dialled: Set<PeerID> = []
  var cameIn: Set<PeerID> = []
  var groups: [PeerID: AddressGroup] = [:]
  var namedAddresses: Set<PeerAddress> = []
  /// These, and those that the first discovery found.
  var firstAddresses: Set<PeerAddress> = []
  var isDiscovering = true
  /// Addresses that were dialled to some outcome, and when peers were lost.
  var resolvedAddresses: Set<PeerAddress> = []
  var lostAt: [PeerID: Instant] = [:]
  /// They are the getter's own.
  var dismissedAddresses: Set<PeerAddress> = []
  /// Addresses to be dialled again, and since when nobody is there.
  var idleSince: [PeerAddress: Instant] = [:]
  /// How often the connection to an address, or to the peer there, has ended; and addresses that had no room.
  var lossCounts: [PeerAddress: Int] = [:]
  var fullAddresses: Set<PeerAddress> = []
  /// How often an address had no room before any peer had the file, and those that are dialled once more for that.
  var turnAways: [PeerAddress: Int] = [:]
  var awaitedAddresses: Set<PeerAddress> = []
  var bannedAddresses: Set<PeerAddress> = []
  /// Peers that alone may answer at an address.
  var pins: [PeerAddress: PeerID] = [:]

  var isRunning = false
  var told = ReportTally()
  var hasStarted = false
  var hasEnded = false
  var verified: [UInt64]
  var troubles: [Troubled: Trouble] = [:]
  /// How often something came back within half a second.
  var promptReturns: [Troubled: Int] = [:]
  /// What waits after a lost round: at least until then, and no longer than until then.
  var restAtLeast: [Troubled: Instant] = [:]
  var restAtMost: [Troubled: Instant] = [:]
  var restUntil: [Instant?]
  var pagesVerified: Set<PageIndex> = []
  /// Those that a journal had or a peer gave, while their chunks are compared with the disk: nobody is asked for them.
  var pagesHeld: Set<PageIndex> = []
  /// Those of them that a peer gave: what comes next may wait for them.
  var pagesArrived: Set<PageIndex> = []
  /// Whether the chunks that files of a folder share are compared with the disk: no peer is asked for them.
  var isComparingShared = false
  var consumedBelow = 0
  /// Seconds that chunks took, and the sizes of these chunks.
  var turnarounds: [Double] = []
  var turnaroundSizes: [Double] = []
  /// The highest rate of any answer, in bytes a second, and the longest patience so far.
  var rateMost = 0.0
  var patienceMost = Duration.zero
  var duplicateBytes: UInt64 = 0
  var unusableSince: Instant?
  /// Since when no peer had the file, none was dialled, and all connections came in.
  var hopelessSince: Instant?
  /// When the first peer had the file.
  var foundAt = Instant.zero
  var lastProgress: Instant
  /// When a leaf was verified last, or storage was ready.
  var lastLeaf: Instant
  /// When a leaf was verified last, the reader of a stream took something, or the process began.
  var lastGain: Instant
  /// When the reader of a stream held the download up last, or took something.
  var lastReading: Instant
  /// When a trusted peer could give something last.
  var lastHope: Instant
  /// Since when strangers have been late with requests that a trusted peer could take over.
  var lateSince: [RequestName: Instant] = [:]

  // Counts that the statistics must show.
  var retryCount = 0
  var hedgeCount = 0
  var newBytes: UInt64 = 0
  var gapBytes: UInt64 = 0
  var resumedChunks = 0

  // Of the present step.
  var expectedCancels: Set<RequestName> = []
  var seenCancels: Set<RequestName> = []
  /// Taken back from the line of one peer, to be asked of another at once.
  var takenBack: Set<ChunkIndex> = []
  /// The last request that was cancelled of a peer that was late with it.
  var lateLoss: (peer: PeerID, chunk: ChunkIndex, connection: ConnectionID, hasBegun: Bool)?
  /// Files of a folder that the step completes.
  var expectedFiles: Set<UInt32> = []
  var expectedBans: Set<PeerID> = []
  var seenBans: Set<PeerID> = []
  /// Failures that were not reported yet.
  var expectedFailures: [PeerID: Int] = [:]
  /// Where several are due at one moment, any of them.
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
  /// Whether all leaves of a chunk are there that are wanted.
  func isHad(_ chunk: ChunkIndex) -> Bool { missing(Int(chunk.rawValue)) == 0 }
  func missing(_ chunk: Int) -> UInt64 { due[chunk] & ~verified[chunk] }
  var isAllHad: Bool { due.indices.allSatisfy { missing($0) == 0 } }

  /// The connections on which a chunk is asked for.
  func askers(of chunk: ChunkIndex) -> [(id: ConnectionID, asked: Asked)] {
    var askers: [(ConnectionID, Asked)] = []
    for (id, line) in lines { for asked in line.asked where asked.chunk == chunk { askers.append((id, asked)) } }
    return askers
  }

  func isBusy(_ peer: PeerID, at now: Instant) -> Bool { standings[peer]?.busyUntil.map { $0 > now } ?? false }

  /// The connection to an address came to nothing, and it may be tried again.
  mutating func leave(_ id: ConnectionID, at now: Instant) {
    countLoss(id)
    guard let address = addresses[id] else { return }
    resolvedAddresses.insert(address)
    if !bannedAddresses.contains(address) { idleSince[address] = now }
  }

  /// A connection has ended: the next dials of its address, and of others of its peer, come later.
  mutating func countLoss(_ id: ConnectionID) {
    let others = peerOf[id].map { peer in addresses.filter { peerOf[$0.key] == peer }.values.map { $0 } } ?? []
    for address in Set(others + [addresses[id]].compactMap { $0 }) { lossCounts[address, default: 0] += 1 }
  }

  /// How long after a loss an address is dialled again at the latest: 1 s, 2, 4, … up to 30 s, and from 5 s on if it had
  /// no room. A second is added for what is rounded.
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

  /// What should have happened before now and did not.
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

  /// The first in line has failed.
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
    if pagesVerified.contains(page) { return }  // another has brought it meanwhile
    fail(.page(page), by: line.peer, reason, hasLeft: hasLeft, wasSilent: wasSilent)
  }
}
