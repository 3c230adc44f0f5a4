// The scenario of a seed: a file or a folder, its peers and a getter.
import Content
import Transfer
import Wire

/// The getter and its disk.
struct GetterPlan: Sendable {
  var faults: Set<Fault> = []
  var diskDelay = Duration.microseconds(50)
  /// The longest time of a sync.
  var syncDelay = Duration.milliseconds(1)
  var journal = JournalSettings()
  /// Whether disk space for the part file is reserved from the start.
  var reservesSpace = true
  /// Whether each process gets another name for the output.
  var renames = false
  /// How many further processes may start after one that was cancelled or whose disk failed.
  var returnsMax = 0
  var blocksMax = 256
  /// The pause of a stream's reader: it begins when the reader has taken this part of the content, from 0 to 1.
  var readerPause: (after: Double, time: Duration)?
  /// The delay of a message between the getter's threads.
  var mailboxDelay: Duration
  /// When the disk is full or fails, the process is killed, the power fails, or the user cancels.
  var strikes: [Strike] = []

  struct Strike: Sendable {
    let at: Duration
    let fault: Fault
  }
}

/// Everything that is fixed before time starts.
struct Scenario: Sendable {
  let seed: UInt64
  private(set) var layout: ChunkLayout
  let chunksPerPage: Int
  /// The bytes of the file, if no folder is fetched.
  let bytes: [UInt8]
  private(set) var folder: SimulatedFolder?
  var settings = DownloadSettings()
  var peers: [PeerPlan] = []
  var getter: GetterPlan

  var faults: Set<Fault> { peers.reduce(getter.faults) { $0.union($1.faults) } }

  init(seed: UInt64) {
    self.seed = seed
    var generator = SeededGenerator(seed: seed)
    let leafSize = 16
    let leavesPerChunk = generator.pick([1, 2, 4, 8, 8, 16, 16, 64])
    // A second peer is asked for a chunk only in a file of at least 20 chunks.
    let isLong = generator.chance(0.4)
    let chunks = Int.random(in: isLong ? 20...72 : 1...16, using: &generator)
    let short = Int.random(in: 0..<leafSize * leavesPerChunk, using: &generator)
    let length = chunks * leafSize * leavesPerChunk - short
    layout = ChunkLayout(fileLength: UInt64(length), chunkSize: leafSize * leavesPerChunk, leafSize: leafSize)!
    chunksPerPage = generator.pick([1, 2, 4, 16, 1024])
    bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    getter = GetterPlan(mailboxDelay: .microseconds(Int64.random(in: 0...2000, using: &generator)))
    settings.chunksPerPage = chunksPerPage
    settings.maxWorkers = generator.pick([1, 2, 4, 8, 8, 8])
    settings.maxRetries = generator.pick([0, 1, 3, 3, 3, 5])
    settings.chunkTimeout = .seconds(generator.pick([5, 10, 30, 30, 30]))
    settings.requestsInFlightMax = generator.pick([1, 4, 16, 16, 64])
    settings.hedges = generator.chance(0.9)
    if generator.chance(0.15) { settings.order = .inOrder(windowChunks: generator.pick([1, 4, 16])) }
    let count = Int.random(in: 1...8, using: &generator)
    let hasAnchor = generator.chance(0.75)
    for number in 0..<count {
      peers.append(PeerPlan(number, isAnchor: hasAnchor && number == 0, timeout: settings.chunkTimeout, &generator))
    }
    drawGetter(&generator)
    if generator.chance(0.3) { drawStrangers(&generator) }
    if generator.chance(0.1) { drawTakers(&generator) }
    if generator.chance(0.3) { drawHinted(&generator) }
    drawFolder()
    drawDuplicates()
    drawTurnedAway()
    drawPatience()
    drawBusyReturners()
    drawReaderPause()
  }

  /// A stream whose reader takes nothing for a long time, mostly longer than a download may wait for its peers. Drawn
  /// apart, as a folder is.
  private mutating func drawReaderPause() {
    var generator = SeededGenerator(seed: seed ^ 0x9ead_e900_0000)
    guard settings.isStream, generator.chance(0.4) else { return }
    let timeouts = generator.pick([0.5, 3, 20, 40])
    getter.readerPause = (.random(in: 0..<1, using: &generator), settings.chunkTimeout * timeouts)
  }

  /// An honest peer without a trusted address may come when strangers have already used up all retries.
  private mutating func drawHinted(_ generator: inout SeededGenerator) {
    for number in peers.indices
    where !peers[number].isAnchor && peers[number].faults.isDisjoint(with: [.dialsIn, .changesIdentity]) {
      peers[number].isHinted = generator.chance(0.5)
    }
  }

  /// Replaces the file by a folder's contents. Uses its own random numbers, so that other scenarios stay as they are.
  private mutating func drawFolder() {
    var generator = SeededGenerator(seed: seed ^ 0xf01d_e500_0000)
    guard generator.chance(0.3) else { return }
    let folder = SimulatedFolder(like: layout, chunksPerPage: chunksPerPage, &generator)
    self.folder = folder
    layout = ChunkLayout(folder.layout)
    if generator.chance(settings.isStream ? 0.7 : 0.4) { settings.wanted = folder.wanted(&generator) }
  }

  /// Peers that are dialled and dial too. Uses its own random numbers, as a folder does.
  private mutating func drawDuplicates() {
    var generator = SeededGenerator(seed: seed ^ 0xd0b1_e500_0000)
    guard generator.chance(0.1) else { return }
    for number in peers.indices where peers[number].faults.isDisjoint(with: [.dialsIn, .changesIdentity]) {
      if generator.chance(0.6) { peers[number].faults.insert(.dialsToo) }
    }
  }

  /// Peers that have no free slot at first. Most have one before the last redial. Uses its own random numbers.
  private mutating func drawTurnedAway() {
    var generator = SeededGenerator(seed: seed ^ 0x0f11_0000_0000)
    guard generator.chance(0.1) else { return }
    for number in peers.indices where peers[number].faults.isDisjoint(with: [.dialsIn, .dialsToo]) {
      guard generator.chance(0.8) else { continue }
      peers[number].faults.insert(.turnsAway)
      peers[number].begins = .zero
      peers[number].ends = generator.pick([.seconds(1), .seconds(4), .seconds(8), .seconds(20), nil])
    }
  }

  /// A getter with patience, whose only source is late or leaves for long and returns. Uses its own random numbers.
  private mutating func drawPatience() {
    var generator = SeededGenerator(seed: seed ^ 0x9a71_e9ce_0000)
    guard generator.chance(0.1) else { return }
    let seconds = generator.pick([Int64(20), 60, 300, 1800])
    settings.patience = generator.chance(0.3) ? .forever : .upTo(.seconds(seconds))
    var source = PeerPlan(0, isAnchor: true, timeout: settings.chunkTimeout, &generator)
    // So slow that an absence falls into the download.
    source.bytesPerSecond = generator.pick([3e5, 1e6, 1e7])
    source.faults = [.vanishes]
    source.hangsWhenAway = generator.chance(0.5)
    var start = Instant.zero + (generator.chance(0.5) ? .zero : generator.milliseconds(1...2000))
    for _ in 0..<generator.pick([1, 1, 2, 3]) {
      // Most absences are shorter than the patience.
      let length = generator.milliseconds(500...seconds * generator.pick([200, 900, 900, 1500]))
      source.absences.append(start..<start + length)
      start = start + length + generator.milliseconds(5...5000)
    }
    peers = [source] + (generator.chance(0.3) ? peers.dropFirst() : [])
  }

  /// Peers that answer BUSY and whose connections are cut, so that they are dialled again. Uses its own random numbers.
  private mutating func drawBusyReturners() {
    var generator = SeededGenerator(seed: seed ^ 0xb057_0000_0000)
    guard generator.chance(0.05) else { return }
    for number in peers.indices
    where !peers[number].isAnchor && peers[number].faults.isDisjoint(with: [.dialsIn, .changesIdentity, .vanishes]) {
      guard generator.chance(0.6) else { continue }
      peers[number].faults.formUnion([.isBusy, .resets])
      peers[number].begins = .zero
      peers[number].retryAfterMilliseconds = generator.pick([0, 10, 1000])
      peers[number].resets = (0..<3).map { _ in generator.milliseconds(20...3000) }
    }
  }

  /// Several strangers with the same faults.
  private mutating func drawStrangers(_ generator: inout SeededGenerator) {
    var faults: Set<Fault> = [.dialsIn, .changesIdentity, generator.pick(Fault.ofStrangers)]
    if generator.chance(0.3) { faults.insert(.claimsLastChunk) }
    if generator.chance(0.2) { faults.insert(.sharedAddress) }
    let stage = generator.pick(PeerPlan.Stage.allCases)
    let returnsAfter = generator.milliseconds(1...generator.pick([20, 500, 5000]))
    for _ in 0..<generator.pick([1, 1, 4, 9]) {
      var stranger = PeerPlan(peers.count, isAnchor: false, timeout: settings.chunkTimeout, &generator)
      (stranger.faults, stranger.closesAt, stranger.returnsAfter) = (faults, stage, returnsAfter)
      (stranger.begins, stranger.ends) = (.zero, nil)
      peers.append(stranger)
    }
  }

  /// Two strangers that take turns with one chunk and never give it.
  private mutating func drawTakers(_ generator: inout SeededGenerator) {
    settings.shares = true
    var faults: Set<Fault> = [.dialsIn, .givesBack, .claimsLastChunk]
    if generator.chance(0.5) { faults.insert(.changesIdentity) }
    let way = generator.pick(PeerPlan.Return.allCases)
    let returnsAfter = generator.milliseconds(1...generator.pick([20, 500]))
    for _ in 0..<2 {
      var taker = PeerPlan(peers.count, isAnchor: false, timeout: settings.chunkTimeout, &generator)
      (taker.faults, taker.givesBackBy, taker.returnsAfter) = (faults, way, returnsAfter)
      (taker.begins, taker.ends, taker.holdTime) = (.zero, nil, .milliseconds(1500))
      taker.retryAfterMilliseconds = 0
      peers.append(taker)
    }
  }

  private mutating func drawGetter(_ generator: inout SeededGenerator) {
    let leaf = UInt64(layout.leafSize)
    let leaves = generator.pick([1, 4, UInt64(layout.leavesPerChunk), 4 * UInt64(layout.leavesPerChunk), 1 << 20])
    getter.journal.fileBytesWithoutJournalMax = generator.chance(0.85) ? 0 : .max
    getter.journal.unsyncedBytesMax = leaves * leaf
    getter.journal.unsyncedMax = generator.milliseconds(1...generator.pick([20, 500, 5000]))
    getter.syncDelay = generator.milliseconds(1...generator.pick([10, 100, 1000]))
    getter.reservesSpace = generator.chance(0.5)
    getter.renames = generator.chance(0.2)
    getter.returnsMax = Int.random(in: 0...3, using: &generator)
    guard generator.chance(0.55) else { return }
    let latest = generator.pick([Int64(1000), 5000, 20_000])
    for _ in 0..<generator.pick([1, 1, 2, 3]) { drawFault(latest, &generator) }
  }

  private mutating func drawFault(_ latestMilliseconds: Int64, _ generator: inout SeededGenerator) {
    let fault = generator.pick(Fault.ofGetter)
    getter.faults.insert(fault)
    switch fault {
    case .slowDisk:
      getter.diskDelay = generator.milliseconds(5...2000)
      getter.syncDelay = getter.syncDelay + getter.diskDelay
    case .fewBlocks: getter.blocksMax = Int.random(in: 1...4, using: &generator)
    default:
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        getter.strikes.append(GetterPlan.Strike(at: generator.milliseconds(10...latestMilliseconds), fault: fault))
      }
    }
  }
}
