// When the disk is told to keep what was written, and when that may be said: data first, then its claim, then the
// claim's own sync. No leaf is claimed whose data is not known to be on the disk.
import Content

/// Something happened to what a journal keeps.
public enum JournalEvent: Sendable {
  /// Leaves hash and are written, not necessarily to the disk. `leafHashes`: all those of the chunk, where they are at
  /// hand.
  case verified(ChunkIndex, mask: UInt64, leafHashes: [Digest]?)
  /// Leaves that the journal claims already, and that were found on the disk.
  case held(ChunkIndex, mask: UInt64)
  /// A page of chunk hashes that leads to the root.
  case page(HashPage)
  /// `syncData` is done.
  case dataSynced
  /// `append` and `syncJournal` are done.
  case journalSynced
  /// One of the actions failed: the journal says no more.
  case failed
  case timerFired
}

/// To be done in order. Where one fails, those after it are not done, and none is tried again.
public enum JournalAction: Hashable, Sendable {
  /// Wait until all that was written is on the disk; then `dataSynced`.
  case syncData
  /// Append to the journal.
  case append([UInt8])
  /// Wait until the journal is on the disk; then `journalSynced`.
  case syncJournal
}

/// Decides when to sync and what to append. Does no I/O and reads no clock. After each `handle`, take actions until there
/// are none; at `deadline`, hand in `.timerFired`.
public struct JournalState: Sendable {
  /// Files up to this length, in bytes, are quickly hashed or fetched again: they need no journal.
  public static let fileBytesWithoutJournalMax: UInt64 = 64 << 20
  /// Verified bytes that are synced at the latest.
  public static let unsyncedBytesMax: UInt64 = 64 << 20
  /// How long a verified leaf waits at the latest, unless a sync is under way.
  public static let unsyncedMax: Duration = .seconds(5)

  private enum Phase: Hashable, Sendable { case idle, syncingData, syncingJournal, failed }

  /// A chunk that is not wholly claimed. Its masks are disjoint.
  private struct Progress: Sendable {
    var unsynced: UInt64 = 0
    var syncing: UInt64 = 0
    var claimed: UInt64 = 0
    /// Nil where unknown, or not needed.
    var leafHashes: [Digest]?
    var areLeafHashesJournaled = false
    var all: UInt64 { unsynced | syncing | claimed }
  }

  private let layout: ChunkLayout
  private var checksum: Digest
  private var phase = Phase.idle
  private var progress: [ChunkIndex: Progress] = [:]
  private var whole: ChunkSet
  private var unsynced: [ChunkIndex] = []
  private var syncing: [ChunkIndex] = []
  private var pages: [HashPage] = []
  private var knownPages: Set<PageIndex>
  private var firstUnsynced: Instant?
  private var actions: [JournalAction] = []

  /// Verified bytes of which no sync has begun.
  public private(set) var unsyncedBytes: UInt64 = 0

  /// Goes on where a journal ends.
  public init(after contents: JournalContents, in layout: ChunkLayout) {
    self.layout = layout
    checksum = contents.checksum
    knownPages = Set(contents.pages.keys)
    whole = ChunkSet(capacity: layout.chunkCount)
  }

  /// When to hand in `.timerFired`; nil where nothing waits for a time.
  public var deadline: Instant? { phase == .idle ? firstUnsynced.map { $0 + JournalState.unsyncedMax } : nil }

  /// The next thing to do, in order; nil where nothing is left until the next event.
  public mutating func nextAction() -> JournalAction? { actions.isEmpty ? nil : actions.removeFirst() }

  public mutating func handle(_ event: JournalEvent, at now: Instant) {
    guard phase != .failed else { return }
    switch event {
    case .verified(let chunk, let mask, let leafHashes): verified(chunk, mask, leafHashes, at: now)
    case .held(let chunk, let mask): held(chunk, mask)
    case .page(let page): if knownPages.insert(page.index).inserted { pages.append(page) }
    case .dataSynced: claim(at: now)
    case .journalSynced: if phase == .syncingJournal { phase = .idle }
    case .failed:
      phase = .failed
      actions = []
    case .timerFired: break
    }
    syncIfDue(at: now)
  }

  private mutating func verified(_ chunk: ChunkIndex, _ mask: UInt64, _ leafHashes: [Digest]?, at now: Instant) {
    guard layout.contains(chunk), !whole.contains(Int(chunk.rawValue)) else { return }
    let all = layout.leaves(of: chunk).mask
    var entry = progress[chunk] ?? Progress()
    let new = mask & all & ~entry.all
    if entry.leafHashes == nil, !entry.areLeafHashesJournaled { entry.leafHashes = leafHashes }
    if new != 0 {
      if entry.unsynced == 0 { unsynced.append(chunk) }
      entry.unsynced |= new
      unsyncedBytes += byteCount(of: new, in: chunk)
      if firstUnsynced == nil { firstUnsynced = now }
    }
    // Claimed all at once, it needs none.
    if entry.unsynced == all { entry.leafHashes = nil }
    progress[chunk] = entry
  }

  private mutating func held(_ chunk: ChunkIndex, _ mask: UInt64) {
    guard layout.contains(chunk), !whole.contains(Int(chunk.rawValue)) else { return }
    var entry = progress[chunk] ?? Progress()
    entry.claimed |= mask & layout.leaves(of: chunk).mask & ~entry.all
    if entry.claimed == layout.leaves(of: chunk).mask {
      progress[chunk] = nil
      whole.insert(Int(chunk.rawValue))
    } else {
      // Leaves of an unfinished chunk were found by the hashes that the journal has.
      entry.areLeafHashesJournaled = true
      progress[chunk] = entry
    }
  }

  private func byteCount(of mask: UInt64, in chunk: ChunkIndex) -> UInt64 {
    let last = layout.leafCount(of: chunk) - 1
    var count = UInt64(mask.nonzeroBitCount * layout.leafSize)
    if mask & (1 << UInt64(last)) != 0 {
      count -= UInt64((last + 1) * layout.leafSize - layout.length(of: chunk))
    }
    return count
  }

  private mutating func syncIfDue(at now: Instant) {
    guard phase == .idle, let firstUnsynced else { return }
    guard unsyncedBytes >= JournalState.unsyncedBytesMax || now >= firstUnsynced + JournalState.unsyncedMax else {
      return
    }
    phase = .syncingData
    (syncing, unsynced) = (unsynced, [])
    for chunk in syncing {
      progress[chunk]!.syncing = progress[chunk]!.unsynced
      progress[chunk]!.unsynced = 0
    }
    unsyncedBytes = 0
    self.firstUnsynced = nil
    actions.append(.syncData)
  }

  /// The data of all that was written before the sync began is on the disk: it may be said.
  private mutating func claim(at now: Instant) {
    guard phase == .syncingData else { return }
    phase = .syncingJournal
    var records = pages.map { JournalRecord.page($0) }
    pages = []
    var run: (first: ChunkIndex, count: UInt32, mask: UInt64)?
    for chunk in syncing.sorted() {
      guard let mask = claim(chunk, &records, at: now) else { continue }
      if let before = run, before.mask == mask, chunk.rawValue - before.first.rawValue == before.count {
        run!.count += 1
      } else {
        if let run { records.append(.leaves(first: run.first, count: run.count, mask: run.mask)) }
        run = (chunk, 1, mask)
      }
    }
    if let run { records.append(.leaves(first: run.first, count: run.count, mask: run.mask)) }
    syncing = []
    if records.isEmpty { return phase = .idle }
    let (bytes, checksum) = JournalBatch.encoded(records, after: checksum)
    self.checksum = checksum
    actions += [.append(bytes), .syncJournal]
  }

  /// The leaves of a chunk that may be claimed; nil where they have to wait.
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
      // A leaf of an unfinished chunk is of use only to who knows its hash, which is still on its way.
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
