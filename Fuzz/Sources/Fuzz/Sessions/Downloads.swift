// A download from one honest peer among strangers. Whatever they do, it completes, counts correctly and does not ban
// the honest peer, and its tables stay small.
import Content

@testable import Transfer
@testable import Wire

enum Downloads {
  static let target = Target("download", seeds: seeds) { run($0, visitsMax: 300) }
  /// The same with so many strangers that a table that grows with each of them is noticed.
  static let flood = Target("download-flood", seeds: seeds) { run($0, visitsMax: 1_500) }

  /// The most events of a run: all visits, with the events that each may cause.
  private static let stepsMax = 400_000
  /// The most virtual time of a run. Strangers stop coming back long before.
  private static let timeMax = Instant.zero + .seconds(24 * 3_600)
  /// The most entries of all tables without their own limit: those of 24 chunks, of ten addresses and connections, of
  /// remembered peers (64 that gave nothing, and at most one for each of 96 leaves), and of the 256 connections lost
  /// last. Runs show about 700. A table that grows with each of 1,500 visits has more.
  private static let entriesMax = 1_600
  /// The tables are counted only after this many visits of strangers.
  private static let visitsMeasured = 200

  /// No stranger; one that answers; several that do not.
  private static func seeds(_: Vectors) -> [[UInt8]] {
    let quiet: [UInt8] = [0, 3, 0, 0, 0, 0, 0, 1]
    let visitor: [UInt8] = [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    return [quiet, [1] + quiet.dropFirst() + visitor, [3] + quiet.dropFirst() + visitor + visitor + visitor]
  }

  private static func run(_ bytes: [UInt8], visitsMax: Int) {
    var world = DownloadWorld(DownloadPlan(bytes, visitsMax: visitsMax))
    world.play(stepsMax: stepsMax, until: timeMax)
    // Counting takes as long as the run, so short runs skip it: a visit adds only a few entries.
    if world.visits >= visitsMeasured {
      let entries = Tables.entries(of: world.state)
      require(entries <= entriesMax, "tables are bounded: \(entries) entries after \(world.visits) visits")
    }
    switch world.ending {
    case .finished(let stats): check(stats, world)
    case .failed(let failure, _): require(false, "with an honest peer the download completes: \(failure)")
    default: require(false, "the download comes to an end: now \(world.now)")
    }
  }

  private static func check(_ stats: DownloadStats, _ world: DownloadWorld) {
    let layout = world.plan.layout
    for index in 0..<layout.chunkCount {
      let chunk = ChunkIndex(UInt32(index))
      require(world.written[chunk] == layout.leaves(of: chunk).mask, "a finished download is whole")
    }
    require(stats.downloadedChunks + stats.resumedChunks == layout.chunkCount, "each chunk counts once")
    require(stats.failedChunks == 0, "no chunk has failed")
    let bytes = stats.peers.reduce(0) { $0 + $1.bytes }
    require(stats.bytes <= layout.fileLength && bytes <= stats.bytes, "each byte counts once")
    let honest = stats.peers.first { $0.peer == DownloadWorld.honest }
    require(honest?.isBanned != true, "the honest peer is not banned")
  }
}

extension DownloadWorld {
  mutating func play(stepsMax: Int, until limit: Instant) {
    begin()
    for stranger in plan.strangers.indices {
      agenda.add(.joins(stranger: stranger), at: .zero + plan.strangers[stranger].joinsAt)
    }
    for cut in plan.cuts { agenda.add(.cutsHonest, at: .zero + cut) }
    if let killedAt = plan.killedAt { agenda.add(.kill, at: .zero + killedAt) }
    for _ in 0..<stepsMax {
      guard ending == nil, let next = [agenda.next, state.deadline].compactMap({ $0 }).min(), next <= limit else {
        return
      }
      now = max(now, next)
      if let due = agenda.next, due <= now {
        happen(agenda.take()!.thing)
      } else {
        handle(.timerFired)
      }
    }
  }

  private mutating func begin() {
    handle(.addressAdded(DownloadWorld.honestAddress, pinned: plan.seed & 1 == 0 ? DownloadWorld.honest : nil))
    handle(.discoveryFinished)
  }

  private mutating func happen(_ thing: Thing) {
    switch thing {
    case .joins(let stranger): joins(stranger)
    case .cutsHonest:
      for (id, line) in lines.sorted(by: { $0.key < $1.key }) where line.stranger == nil && line.isOpen {
        lines[id] = nil
        handle(.connectionLost(id, .reset))
      }
    case .kill:
      (lines, known) = ([:], [:])
      agenda = Agenda()
      journal = JournalState(
        after: JournalContents(decoding: journalBytes), in: plan.layout, settings: DownloadWorld.journalSettings)
      state = DownloadState(settings: plan.settings, generator: SeededGenerator(seed: plan.seed), at: now)
      for stranger in plan.strangers.indices {
        agenda.add(.joins(stranger: stranger), at: now + plan.strangers[stranger].joinsAt)
      }
      begin()
    case .event(let event, let id, let request): happen(event, id, request)
    }
  }

  /// Applies an event. Drops events of gone connections and requests, and leaves that were cancelled in transit.
  private mutating func happen(_ event: DownloadEvent, _ id: ConnectionID?, _ request: RequestID?) {
    if let id, lines[id] == nil { return }
    if let id, let request, lines[id]!.asked[request] == nil { return }
    switch event {
    case .opened(let id, _, let isComplete):
      lines[id]!.isOpen = true
      if !isComplete { lines[id]!.claims = [:] }
    case .bitmap(let id, let bitmap):
      for i in 0..<bitmap.count where bitmap[i] {
        let chunk = ChunkIndex(UInt32(i))
        lines[id]!.claims![chunk] = plan.layout.leaves(of: chunk).mask
      }
    case .have(let id, let runs):
      for run in runs where plan.layout.contains(run.chunk) {
        lines[id]!.claims![run.chunk, default: 0] |= run.leaves.mask & plan.layout.leaves(of: run.chunk).mask
      }
    case .leavesVerified(let id, let request, let chunk, let leaves, let needed, _):
      written[chunk, default: 0] |= leaves.mask & needed
      known[chunk, default: 0] |= leaves.mask & needed
      // Leaf hashes arrive with the first piece of an answer. Their values do not matter here.
      let hashes = Array(repeating: Digest.zero, count: plan.layout.leafCount(of: chunk))
      let isFirst = (lines[id]?.asked[request]?.leaves.first ?? leaves.first) == leaves.first
      keep(.verified(chunk, mask: leaves.mask & needed, leafHashes: isFirst ? hashes : nil))
      if lines[id]?.asked[request]?.leaves.end == leaves.end { lines[id]!.asked[request] = nil }
    case .busy(let id, let request, _): lines[id]!.asked[request] = nil
    case .refused(let id, _), .lied(let id), .withdrawn(let id): lines[id]!.isOpen = false
    case .connectionLost(let id, _): isGone(id)
    default: break
    }
    handle(event)
    consume()
  }

  mutating func handle(_ event: DownloadEvent) {
    state.handle(event, at: now)
    // Strangers claim to be in the download's zone. The honest peer is in no zone.
    if case .connected(let id, _, _, _) = event, let zone = plan.settings.zone, lines[id]?.stranger != nil {
      state.handle(.zone(id, zone.name), at: now)
    }
    while let action = state.nextAction() { perform(action) }
  }

  /// The reader of a stream takes everything that is ready.
  private mutating func consume() {
    guard case .inOrder = plan.settings.order else { return }
    let below = (0..<plan.layout.chunkCount).first { index in
      let chunk = ChunkIndex(UInt32(index))
      return written[chunk] != plan.layout.leaves(of: chunk).mask
    }
    handle(.consumed(below: ChunkIndex(UInt32(below ?? plan.layout.chunkCount))))
  }
}
