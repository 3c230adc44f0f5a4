// When a download syncs its data, and when the journal claims it: sync the data, append the claim, sync the journal. At
// the end: sync the data, give the output its name, sync the folder. A leaf is claimed, and the output gets its name,
// only when the data is known to be on the disk.
import Content

/// Decides when to sync and what to append. Does no I/O and reads no clock. After each `handle`, take actions until
/// there are none; at `deadline`, hand in `.timerFired`. Ends with `.completed` or `.stopped`, after which `isOver`
/// becomes true once nothing is left to wait for.
public struct JournalState: Sendable {
  private enum Phase: Hashable, Sendable { case idle, syncingData, syncingJournal, syncingAll, placing, over, failed }
  private enum Ending: Hashable, Sendable { case none, complete, stopped, stoppedAndSaid }

  /// A chunk of which some leaves are not claimed yet. Its masks are disjoint.
  private struct Progress: Sendable {
    var unsynced: UInt64 = 0
    var syncing: UInt64 = 0
    var claimed: UInt64 = 0
    /// The hashes of all leaves. Nil if they are unknown or not needed.
    var leafHashes: [Digest]?
    /// Whether a later download knows the leaf hashes: from the journal, or from the listing of a folder.
    var areLeafHashesJournaled = false
    var all: UInt64 { unsynced | syncing | claimed }

    mutating func syncBegan() { (syncing, unsynced) = (unsynced, 0) }
  }

  private let layout: ChunkLayout
  private let settings: JournalSettings
  /// The checksum that the next batch is chained to; nil if there is no journal.
  private var checksum: Digest?
  private var phase = Phase.idle
  private var ending = Ending.none
  /// Whether every appended claim is on the disk.
  private var isJournalSynced: Bool
  private var progress: [ChunkIndex: Progress] = [:]
  private var whole: ChunkSet
  private var unsynced: [ChunkIndex] = []
  private var syncing: [ChunkIndex] = []
  private var pages: [HashPage] = []
  private var knownPages: Set<PageIndex>
  private var firstUnsynced: Instant?
  private var actions = ActionQueue<JournalAction>()

  /// Verified bytes whose sync has not begun.
  public private(set) var unsyncedBytes: UInt64 = 0

  /// Continues a journal. Nil: the file has no journal, and only its end is decided here.
  public init(after contents: JournalContents?, in layout: ChunkLayout, settings: JournalSettings = JournalSettings()) {
    self.layout = layout
    self.settings = settings
    checksum = contents?.checksum
    isJournalSynced = contents?.runs.isEmpty ?? true
    knownPages = Set((contents?.pages ?? [:]).keys)
    whole = ChunkSet(capacity: layout.chunkCount)
  }

  /// When to hand in `.timerFired`; nil if no timer runs.
  public var deadline: Instant? {
    phase == .idle && ending == .none ? firstUnsynced.map { $0 + settings.unsyncedMax } : nil
  }

  /// Whether no further action will come.
  public var isOver: Bool { phase == .over || phase == .failed }

  /// Returns the next action, in order; nil if none is left until the next event.
  public mutating func nextAction() -> JournalAction? { actions.takeFirst() }

  public mutating func handle(_ event: JournalEvent, at now: Instant) {
    guard !isOver else { return }
    switch event {
    case .verified(let chunk, let mask, let leafHashes): verified(chunk, mask, leafHashes, at: now)
    case .held(let chunk, let mask): held(chunk, mask)
    case .page(let page): if checksum != nil, knownPages.insert(page.index).inserted { pages.append(page) }
    case .dataSynced: dataSynced(at: now)
    case .journalSynced: journalSynced()
    case .placed: if phase == .placing { phase = .over }
    case .failed:
      phase = .failed
      actions.removeAll()
    case .timerFired: break
    case .completed: ending = .complete
    case .stopped: if ending == .none { ending = .stopped }
    }
    guard phase == .idle else { return }
    switch ending {
    case .none: syncIfDue(at: now)
    case .complete:
      phase = .syncingAll
      actions.append(.syncData)
    case .stopped, .stoppedAndSaid: sayTheRest()
    }
  }

  private mutating func dataSynced(at now: Instant) {
    switch phase {
    case .syncingData where ending == .complete: phase = .idle  // all chunks are whole: claims are of no more use
    case .syncingData: claim(at: now)
    case .syncingAll:
      phase = .placing
      actions += [.place, .syncFolder, .removeJournal]
    default: break
    }
  }

  private mutating func journalSynced() {
    guard phase == .syncingJournal else { return }
    isJournalSynced = true
    phase = .idle
  }

  private mutating func verified(_ chunk: ChunkIndex, _ mask: UInt64, _ leafHashes: [Digest]?, at now: Instant) {
    guard checksum != nil, layout.contains(chunk), !whole.contains(Int(chunk.rawValue)) else { return }
    let all = layout.leaves(of: chunk).mask
    var entry = progress[chunk] ?? begun(chunk)
    let new = mask & all & ~entry.all
    if entry.leafHashes == nil, !entry.areLeafHashesJournaled { entry.leafHashes = leafHashes }
    if new != 0 {
      if entry.unsynced == 0 { unsynced.append(chunk) }
      entry.unsynced |= new
      unsyncedBytes += byteCount(of: new, in: chunk)
      if firstUnsynced == nil { firstUnsynced = now }
    }
    // A chunk that is claimed as a whole needs no leaf hashes in the journal.
    if entry.unsynced == all { entry.leafHashes = nil }
    progress[chunk] = entry
  }

  /// Returns the entry of a new chunk. If each file of a shared chunk has one leaf, the listing has the leaf hashes,
  /// and the journal does not need them.
  private func begun(_ chunk: ChunkIndex) -> Progress {
    var entry = Progress()
    entry.areLeafHashesJournaled = layout.folder?.knowsLeafHashes(of: chunk) ?? false
    return entry
  }

  private mutating func held(_ chunk: ChunkIndex, _ mask: UInt64) {
    guard checksum != nil, layout.contains(chunk), !whole.contains(Int(chunk.rawValue)) else { return }
    var entry = progress[chunk] ?? begun(chunk)
    entry.claimed |= mask & layout.leaves(of: chunk).mask & ~entry.all
    if entry.claimed == layout.leaves(of: chunk).mask {
      progress[chunk] = nil
      whole.insert(Int(chunk.rawValue))
    } else {
      // The journal has the leaf hashes: leaves of an unfinished chunk are found only by these.
      entry.areLeafHashesJournaled = true
      progress[chunk] = entry
    }
  }

  private func byteCount(of mask: UInt64, in chunk: ChunkIndex) -> UInt64 {
    UInt64(layout.length(ofLeaves: mask, in: chunk))
  }

  private mutating func syncIfDue(at now: Instant) {
    guard let firstUnsynced else { return }
    if unsyncedBytes >= settings.unsyncedBytesMax || now >= firstUnsynced + settings.unsyncedMax { sync() }
  }

  /// Has one more batch appended, then ends. Leaves whose hashes are still missing are not claimed: a later download
  /// could not verify them.
  private mutating func sayTheRest() {
    if ending == .stopped, !unsynced.isEmpty {
      ending = .stoppedAndSaid
      sync()
    } else if !isJournalSynced {
      phase = .syncingJournal
      actions.append(.syncJournal)
    } else {
      phase = .over
    }
  }

  private mutating func sync() {
    phase = .syncingData
    (syncing, unsynced) = (unsynced, [])
    for chunk in syncing { progress[existing: chunk].syncBegan() }
    unsyncedBytes = 0
    firstUnsynced = nil
    actions.append(.syncData)
  }

  /// Claims all data that was written before the sync began: that data is on the disk now.
  private mutating func claim(at now: Instant) {
    guard let previous = checksum else { preconditionFailure("without a journal nothing is claimed") }
    var records = pages.map { JournalRecord.page($0) }
    pages = []
    var run: (first: ChunkIndex, count: UInt32, mask: UInt64)?
    for chunk in syncing.sorted() {
      guard let mask = claim(chunk, &records, at: now) else { continue }
      if let before = run, before.mask == mask, chunk.rawValue - before.first.rawValue == before.count {
        run = (before.first, before.count + 1, mask)
      } else {
        if let run { records.append(.leaves(first: run.first, count: run.count, mask: run.mask)) }
        run = (chunk, 1, mask)
      }
    }
    if let run { records.append(.leaves(first: run.first, count: run.count, mask: run.mask)) }
    syncing = []
    if records.isEmpty { return phase = .idle }
    let (bytes, checksum) = JournalBatch.encoded(records, after: previous)
    self.checksum = checksum
    phase = .syncingJournal
    isJournalSynced = false
    actions += [.append(bytes), .syncJournal]
  }

  /// Returns the leaves of a chunk that may be claimed; nil if they have to wait for their hashes.
  private mutating func claim(_ chunk: ChunkIndex, _ records: inout [JournalRecord], at now: Instant) -> UInt64? {
    guard var entry = progress[chunk] else { return nil }
    let mask = entry.syncing
    entry.syncing = 0
    if entry.claimed | mask == layout.leaves(of: chunk).mask {
      progress[chunk] = nil
      whole.insert(Int(chunk.rawValue))
      return mask
    }
    guard entry.areLeafHashesJournaled || entry.leafHashes != nil else {
      // A leaf of an unfinished chunk is useful only with its hash, which has not arrived yet.
      if entry.unsynced == 0 { unsynced.append(chunk) }
      entry.unsynced |= mask
      unsyncedBytes += byteCount(of: mask, in: chunk)
      if firstUnsynced == nil { firstUnsynced = now }
      progress[chunk] = entry
      return nil
    }
    if !entry.areLeafHashesJournaled, let hashes = entry.leafHashes { records.append(.leafHashes(chunk, hashes)) }
    entry.areLeafHashesJournaled = true
    entry.leafHashes = nil
    entry.claimed |= mask
    progress[chunk] = entry
    return mask
  }
}
