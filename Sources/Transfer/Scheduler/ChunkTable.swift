// The state of every chunk of a download, and the choice of the next chunk. Each chunk is in exactly one state.
import Content
import Wire

/// A request for leaves of a chunk: its connection and its id.
public struct Asker: Hashable, Sendable {
  public let connection: ConnectionID
  public let request: RequestID
  public let leaves: LeafRange
}

/// The state of a chunk. Verified leaves are also written; bit 0 is the chunk's first leaf.
public enum ChunkState: Hashable, Sendable {
  case missing
  /// Some leaves are verified, and no peer is asked for the rest.
  case partial(verified: UInt64)
  case inFlight(verified: UInt64, askers: [Asker])
  /// The chunk waits in the retry queue.
  case resting(verified: UInt64)
  case have
  /// The chunk is out of retries.
  case failed
}

/// The state of every chunk, and how many peers have it. A choice reads a few words, however large the file is.
struct ChunkTable: Sendable {
  /// Chunks with this many copies or more count as equally common.
  static let rarityMax = RarityBuckets.levelMax
  /// How many peers are asked for one chunk at a time.
  static let askersMax = 2

  private enum Phase: UInt8 { case open, inFlight, resting, have, failed, unwanted }

  /// The progress of a chunk that has a request or a verified leaf, until it is complete.
  struct Progress: Sendable {
    var verified: UInt64 = 0
    var askers: [Asker] = []
    /// When the clock of the latest request for the chunk started.
    var started: Instant?

    mutating func add(_ asker: Asker) {
      askers.append(asker)
      precondition(askers.count <= ChunkTable.askersMax, "too many askers")
    }

    /// Removes a request. True if no other one is left.
    mutating func remove(_ request: RequestID, on connection: ConnectionID) -> Bool {
      askers.removeAll { $0.connection == connection && $0.request == request }
      return askers.isEmpty
    }
  }

  let layout: ChunkLayout
  /// The leaves that the download fetches. Other leaves never count as missing.
  private let wanted: WantedLeaves
  /// How many chunks have a wanted leaf.
  let wantedCount: Int
  /// Bytes of all wanted leaves.
  let wantedBytes: UInt64
  private let isInOrder: Bool
  private var phases: [Phase]
  private var isListed: ChunkSet
  private var unfinished: ChunkSet
  private var copies: [UInt16]
  private var progress: [ChunkIndex: Progress] = [:]
  /// Chunks that may be chosen, by their number of copies.
  private var buckets: RarityBuckets

  /// How many chunks may be chosen now.
  var choosableCount: Int { buckets.all.count }
  private(set) var haveCount = 0
  /// Increases whenever a chunk becomes choosable. Only then is a peer checked again that had nothing to give.
  private(set) var generation: UInt64 = 1
  /// The chunks that became choosable in the generations since `offeredSince`.
  private var offered: [ChunkIndex] = []
  private var offeredSince: UInt64 = 1
  /// If more chunks than this become choosable, every peer is checked again.
  private static let offeredMax = 16
  /// The words that all choices have read. A performance test checks it.
  private(set) var wordsRead = 0

  var unfinishedCount: Int { wantedCount - haveCount }
  var isComplete: Bool { unfinishedCount == 0 }

  init(layout: ChunkLayout, wanted: WantedLeaves = .all, isInOrder: Bool = false) {
    self.layout = layout
    self.wanted = wanted
    self.isInOrder = isInOrder
    phases = Array(repeating: .open, count: layout.chunkCount)
    copies = Array(repeating: 0, count: layout.chunkCount)
    isListed = ChunkSet(capacity: layout.chunkCount)
    unfinished = .full(capacity: layout.chunkCount)
    buckets = RarityBuckets(capacity: layout.chunkCount)
    var (count, bytes) = (layout.chunkCount, layout.fileLength)
    if !wanted.isAll {
      bytes = 0
      for chunk in (0..<UInt32(layout.chunkCount)).lazy.map({ ChunkIndex($0) }) {
        let due = layout.leaves(of: chunk).mask & wanted.mask(of: chunk)
        bytes += UInt64(layout.length(ofLeaves: due, in: chunk))
        guard due == 0 else { continue }
        phases[Int(chunk.rawValue)] = .unwanted
        unfinished.remove(Int(chunk.rawValue))
        count -= 1
      }
    }
    (wantedCount, wantedBytes) = (count, bytes)
  }

  /// Returns the leaves of a chunk that the download wants, whether it has them or not.
  func due(_ chunk: ChunkIndex) -> UInt64 { layout.leaves(of: chunk).mask & wanted.mask(of: chunk) }

  /// Returns the wanted leaves of an incomplete chunk that are not verified.
  func missing(of chunk: ChunkIndex) -> UInt64 { due(chunk) & ~(progress[chunk]?.verified ?? 0) }

  /// Returns whether no leaf of a chunk is wanted.
  func isUnwanted(_ chunk: ChunkIndex) -> Bool { phases[Int(chunk.rawValue)] == .unwanted }

  func state(of chunk: ChunkIndex) -> ChunkState {
    let progress = progress[chunk] ?? Progress()
    return switch phases[Int(chunk.rawValue)] {
    case .open: progress.verified == 0 ? .missing : .partial(verified: progress.verified)
    case .inFlight: .inFlight(verified: progress.verified, askers: progress.askers)
    case .resting: .resting(verified: progress.verified)
    case .have, .unwanted: .have
    case .failed: .failed
    }
  }

  /// The first chunk that is not complete; nil if the file is complete.
  var firstUnfinished: Int? { unfinished.first() }

  /// Returns whether a peer has any leaf that the download still needs.
  /// - `limit`: chunks from here on are not yet wanted.
  func wantsAny(of availability: RemoteAvailability, below limit: Int) -> Bool {
    if availability.isComplete { return true }
    var wordsRead = 0
    if let first = unfinished.first(in: availability.chunks, wordsRead: &wordsRead), first < limit { return true }
    return availability.partial.contains { chunk, leaves in
      chunk.rawValue < limit && unfinished.contains(Int(chunk.rawValue)) && leaves & missing(of: chunk) != 0
    }
  }

  /// Returns whether leaves of a chunk are missing, and the chunk is neither requested nor waiting for a retry.
  func isOpen(_ chunk: ChunkIndex) -> Bool { phases[Int(chunk.rawValue)] == .open }
  func has(_ chunk: ChunkIndex) -> Bool { phases[Int(chunk.rawValue)] == .have }
  func progress(of chunk: ChunkIndex) -> Progress { progress[chunk] ?? Progress() }
  /// Returns the verified leaves of an incomplete chunk.
  func verified(of chunk: ChunkIndex) -> UInt64 { progress[chunk]?.verified ?? 0 }
  /// Returns how many peers with a part of the file have the chunk. Peers with the whole file are not counted: they
  /// have every chunk.
  func copies(of chunk: ChunkIndex) -> Int { Int(copies[Int(chunk.rawValue)]) }

  /// Returns the leaves in `mask` to request at once, from the first missing one on. Nil if none is missing.
  func missingSpan(of chunk: ChunkIndex, in mask: UInt64 = .max) -> LeafRange? {
    layout.requestSpan(needed: missing(of: chunk), available: mask, of: chunk)
  }

  /// Allows the choice of a chunk, because its hash is known.
  mutating func list(_ chunk: ChunkIndex) {
    guard isListed.insert(Int(chunk.rawValue)) else { return }
    if phases[Int(chunk.rawValue)] == .open { offer(chunk) }
  }

  /// Returns the rarest choosable chunk that the peer has whole; of equally rare chunks, or with `isInOrder`, the
  /// first. If the peer has no such chunk whole, returns the chunk of which it has the most missing leaves.
  /// - `limit`: chunks from here on are not yet wanted.
  /// - `excluded`: chunks that this peer is not asked for now.
  /// - `start`: the chunk at which the search starts. It wraps around at `limit`.
  /// - `filter`: the chunks that a peer outside the zone may be asked for; nil: all.
  mutating func choose(
    for availability: RemoteAvailability, below limit: Int, excluded: Set<ChunkIndex> = [], from start: Int = 0,
    _ filter: ZoneFilter? = nil
  ) -> ChunkIndex? {
    var levels = buckets.occupied
    let held = availability.isComplete ? nil : availability.chunks
    if held != nil || filter != nil, buckets.all.first(in: held, filter, wordsRead: &wordsRead) == nil { levels = 0 }
    while levels != 0 {
      let level = levels.trailingZeroBitCount
      levels &= levels - 1
      for range in start < limit ? [start..<limit, 0..<start] : [0..<limit] {
        if let chunk = chooseWhole(at: level, for: availability, range, excluded, filter) { return chunk }
      }
    }
    return choosePart(of: availability, below: limit, excluded, filter)
  }

  private mutating func chooseWhole(
    at level: Int, for availability: RemoteAvailability, _ range: Range<Int>, _ excluded: Set<ChunkIndex>,
    _ filter: ZoneFilter?
  ) -> ChunkIndex? {
    var start = range.lowerBound
    while start < range.upperBound,
      let found = buckets.first(
        at: level, in: availability.isComplete ? nil : availability.chunks, from: start, filter, wordsRead: &wordsRead),
      found < range.upperBound
    {
      let chunk = ChunkIndex(UInt32(found))
      if !excluded.contains(chunk) { return chunk }
      start = found + 1
    }
    return nil
  }

  private func choosePart(
    of availability: RemoteAvailability, below limit: Int, _ excluded: Set<ChunkIndex>, _ filter: ZoneFilter?
  ) -> ChunkIndex? {
    var best: (chunk: ChunkIndex, count: Int)?
    for (chunk, leaves) in availability.partial where phases[Int(chunk.rawValue)] == .open {
      let count = (leaves & missing(of: chunk)).nonzeroBitCount
      guard count > 0, isListed.contains(Int(chunk.rawValue)), chunk.rawValue < limit, !excluded.contains(chunk) else {
        continue
      }
      if let filter, !filter.allows(Int(chunk.rawValue)) { continue }
      // A dictionary has no order, so the lower chunk wins a tie.
      if let best, best.count > count || best.count == count && best.chunk < chunk { continue }
      best = (chunk, count)
    }
    return best?.chunk
  }

  mutating func ask(_ chunk: ChunkIndex, _ asker: Asker) {
    let phase = phases[Int(chunk.rawValue)]
    precondition(phase == .open || phase == .inFlight, "only a missing chunk is asked for")
    withdraw(chunk)
    phases[Int(chunk.rawValue)] = .inFlight
    progress[chunk, default: Progress()].add(asker)
  }

  mutating func clockStarted(on chunk: ChunkIndex, at now: Instant) { progress[chunk]?.started = now }

  /// Removes a request. If no other request for the chunk is left, the chunk can be chosen again.
  mutating func drop(_ connection: ConnectionID, _ request: RequestID, of chunk: ChunkIndex) {
    guard phases[Int(chunk.rawValue)] == .inFlight else { return }
    let isUnasked = progress[existing: chunk].remove(request, on: connection)
    guard isUnasked else { return }
    phases[Int(chunk.rawValue)] = .open
    offer(chunk)
  }

  /// Adds leaves that are verified and written. Returns the new ones, and whether the chunk is now complete.
  mutating func verify(mask: UInt64, of chunk: ChunkIndex) -> (new: UInt64, isNowHad: Bool) {
    let phase = phases[Int(chunk.rawValue)]
    guard phase != .have, phase != .failed, phase != .unwanted else { return (0, false) }
    let whole = layout.leaves(of: chunk).mask
    let before = progress[chunk]?.verified ?? 0
    let after = before | (mask & whole)
    progress[chunk, default: Progress()].verified = after
    guard after & due(chunk) == due(chunk) else { return (after & ~before, false) }
    withdraw(chunk)
    phases[Int(chunk.rawValue)] = .have
    haveCount += 1
    unfinished.remove(Int(chunk.rawValue))
    progress[chunk] = nil
    return (after & ~before, true)
  }

  /// Marks a chunk as waiting in the retry queue, unless a peer is asked for it.
  mutating func rest(_ chunk: ChunkIndex) {
    guard isOpen(chunk) else { return }
    withdraw(chunk)
    phases[Int(chunk.rawValue)] = .resting
  }

  /// Ends the wait of a chunk in the retry queue.
  mutating func wake(_ chunk: ChunkIndex) {
    guard phases[Int(chunk.rawValue)] == .resting else { return }
    phases[Int(chunk.rawValue)] = .open
    offer(chunk)
  }

  /// Marks a chunk that is out of retries as failed.
  mutating func giveUp(_ chunk: ChunkIndex) {
    withdraw(chunk)
    phases[Int(chunk.rawValue)] = .failed
  }

  /// Has every peer checked again, because the choice may have changed for a reason outside this table.
  mutating func reconsider() {
    generation += 1
    offered.removeAll(keepingCapacity: true)
    offeredSince = generation
  }

  /// Returns the chunks that became choosable since the last call, or since `reconsider` if that was later. A peer that
  /// had nothing to give in generation `since` or later, and has none of these chunks, has nothing to give now.
  mutating func takeOffered() -> (since: UInt64, chunks: [ChunkIndex]) {
    defer {
      offered.removeAll(keepingCapacity: true)
      offeredSince = generation
    }
    return (offeredSince, offered)
  }

  private func level(of chunk: ChunkIndex) -> Int {
    isInOrder ? 0 : min(Int(copies[Int(chunk.rawValue)]), ChunkTable.rarityMax)
  }

  private mutating func offer(_ chunk: ChunkIndex) {
    guard isListed.contains(Int(chunk.rawValue)) else { return }
    buckets.insert(Int(chunk.rawValue), at: level(of: chunk))
    if offered.count == ChunkTable.offeredMax { return reconsider() }
    generation += 1
    offered.append(chunk)
  }

  private mutating func withdraw(_ chunk: ChunkIndex) { buckets.remove(Int(chunk.rawValue), at: level(of: chunk)) }

  // MARK: Copies

  /// Counts one more peer that has these chunks, all in one word of 64. The set of choosable chunks stays the same.
  mutating func addCopies(of members: UInt64, inWord word: Int) {
    // From the highest level down, so that no chunk moves twice.
    var levels = isInOrder ? 0 : buckets.occupied & ~(1 << UInt64(ChunkTable.rarityMax))
    while levels != 0 {
      let level = 63 - levels.leadingZeroBitCount
      levels &= ~(1 << UInt64(level))
      buckets.move(members, ofWord: word, from: level, to: level + 1)
    }
    forEach(members, inWord: word) { $0 = $0 == .max ? .max : $0 + 1 }
  }

  /// Counts one peer fewer that has these chunks.
  mutating func removeCopies(of members: UInt64, inWord word: Int) {
    forEach(members, inWord: word) { $0 = $0 == 0 ? 0 : $0 - 1 }
    var levels = isInOrder ? 0 : buckets.occupied & ~1
    while levels != 0 {
      let level = levels.trailingZeroBitCount
      levels &= levels - 1
      guard level == ChunkTable.rarityMax else {
        buckets.move(members, ofWord: word, from: level, to: level - 1)
        continue
      }
      var fewer: UInt64 = 0
      for bit in 0..<64 where members & (1 << UInt64(bit)) != 0 && copies[64 * word + bit] < level {
        fewer |= 1 << UInt64(bit)
      }
      buckets.move(fewer, ofWord: word, from: level, to: level - 1)
    }
  }

  mutating func addCopy(of chunk: ChunkIndex) {
    let index = Int(chunk.rawValue)
    let before = level(of: chunk)
    copies[index] = copies[index] == .max ? .max : copies[index] + 1
    buckets.move(1 << UInt64(index & 63), ofWord: index >> 6, from: before, to: level(of: chunk))
  }

  private mutating func forEach(_ members: UInt64, inWord word: Int, _ change: (inout UInt16) -> Void) {
    var rest = members
    while rest != 0 {
      change(&copies[64 * word + rest.trailingZeroBitCount])
      rest &= rest - 1
    }
  }
}
