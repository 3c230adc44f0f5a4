// The state of every chunk of a download, and the choice of the next: each chunk is in exactly one state.
import Content
import Wire

/// Who was asked for leaves of a chunk.
public struct Asker: Hashable, Sendable {
  public let connection: ConnectionID
  public let request: RequestID
  public let leaves: LeafRange
}

/// Where a chunk stands. Verified leaves are also written; bit 0 is the chunk's first leaf.
public enum ChunkState: Hashable, Sendable {
  case missing
  /// Some leaves are there, and nobody is asked for the rest.
  case partial(verified: UInt64)
  case inFlight(verified: UInt64, askers: [Asker])
  /// Waits in the retry queue.
  case resting(verified: UInt64)
  case have
  /// Out of retries.
  case failed
}

/// Every chunk's state and how many peers have it. Choosing costs a few words read, however large the file.
struct ChunkTable: Sendable {
  /// Copies are told apart up to this many less one; a chunk with more is not rare.
  static let rarityMax = RarityBuckets.levelMax
  /// Peers that are asked for one chunk at a time.
  static let askersMax = 2

  private enum Phase: UInt8 { case open, inFlight, resting, have, failed }

  /// What a chunk that was touched carries until it is had.
  struct Progress: Sendable {
    var verified: UInt64 = 0
    var askers: [Asker] = []
    /// When the latest clock on it started.
    var started: Instant?
  }

  let layout: ChunkLayout
  private let isInOrder: Bool
  private var phases: [Phase]
  private var isListed: ChunkSet
  private var unfinished: ChunkSet
  private var copies: [UInt16]
  private var progress: [ChunkIndex: Progress] = [:]
  /// Chunks that may be chosen, by copies.
  private var buckets: RarityBuckets

  /// How many chunks may be chosen now.
  var choosableCount: Int { buckets.all.count }
  private(set) var haveCount = 0
  /// Changes whenever a chunk becomes choosable: who had nothing to give before need only be asked again then.
  private(set) var generation: UInt64 = 1
  /// Of the generations since `offeredSince` these chunks are the cause.
  private var offered: [ChunkIndex] = []
  private var offeredSince: UInt64 = 1
  /// With more than this everybody is asked again.
  private static let offeredMax = 16
  /// What all choices have cost, in words read: a performance test counts it.
  private(set) var wordsRead = 0

  var unfinishedCount: Int { layout.chunkCount - haveCount }
  var isComplete: Bool { unfinishedCount == 0 }

  init(layout: ChunkLayout, isInOrder: Bool = false) {
    self.layout = layout
    self.isInOrder = isInOrder
    phases = Array(repeating: .open, count: layout.chunkCount)
    copies = Array(repeating: 0, count: layout.chunkCount)
    isListed = ChunkSet(capacity: layout.chunkCount)
    unfinished = .full(capacity: layout.chunkCount)
    buckets = RarityBuckets(capacity: layout.chunkCount)
  }

  func state(of chunk: ChunkIndex) -> ChunkState {
    let progress = progress[chunk] ?? Progress()
    return switch phases[Int(chunk.rawValue)] {
    case .open: progress.verified == 0 ? .missing : .partial(verified: progress.verified)
    case .inFlight: .inFlight(verified: progress.verified, askers: progress.askers)
    case .resting: .resting(verified: progress.verified)
    case .have: .have
    case .failed: .failed
    }
  }

  /// The first chunk that is not had; nil: the file is complete.
  var firstUnfinished: Int? { unfinished.first() }

  /// Whether a peer has anything that is still wanted.
  /// - `limit`: chunks from here on are not yet wanted.
  func wantsAny(of availability: RemoteAvailability, below limit: Int) -> Bool {
    if availability.isComplete { return true }
    var wordsRead = 0
    if let first = unfinished.first(in: availability.chunks, wordsRead: &wordsRead), first < limit { return true }
    return availability.partial.contains { chunk, leaves in
      chunk.rawValue < limit && phases[Int(chunk.rawValue)] != .have && leaves & ~(progress[chunk]?.verified ?? 0) != 0
    }
  }

  /// Whether a chunk is missing, in whole or in part, and no peer is asked for it.
  func isOpen(_ chunk: ChunkIndex) -> Bool { phases[Int(chunk.rawValue)] == .open }
  func has(_ chunk: ChunkIndex) -> Bool { phases[Int(chunk.rawValue)] == .have }
  func progress(of chunk: ChunkIndex) -> Progress { progress[chunk] ?? Progress() }
  /// The leaves that are verified of a chunk that is not had.
  func verified(of chunk: ChunkIndex) -> UInt64 { progress[chunk]?.verified ?? 0 }
  /// Peers with a part of the file that have the chunk; complete peers are not counted, as they have all alike.
  func copies(of chunk: ChunkIndex) -> Int { Int(copies[Int(chunk.rawValue)]) }

  /// The first run of leaves that are not verified, of those in `mask`; nil where none is missing.
  func missingRun(of chunk: ChunkIndex, in mask: UInt64 = .max) -> LeafRange? {
    let missing = layout.leaves(of: chunk).mask & mask & ~(progress[chunk]?.verified ?? 0)
    guard missing != 0 else { return nil }
    let first = missing.trailingZeroBitCount
    return LeafRange(first: first, count: (~(missing >> UInt64(first))).trailingZeroBitCount)
  }

  /// The chunk hash is known: its chunks may be chosen.
  mutating func list(_ chunk: ChunkIndex) {
    guard isListed.insert(Int(chunk.rawValue)) else { return }
    if phases[Int(chunk.rawValue)] == .open { offer(chunk) }
  }

  /// The rarest choosable chunk that the peer has whole, ties in order; with `isInOrder` simply the first. Where it has
  /// none, one of which it has leaves that are missing: the more the better.
  /// - `limit`: chunks from here on are not yet wanted.
  /// - `excluded`: chunks that this peer shall not be asked for now.
  /// - `start`: where the order begins; it goes round.
  mutating func choose(
    for availability: RemoteAvailability, below limit: Int, excluded: Set<ChunkIndex> = [], from start: Int = 0
  ) -> ChunkIndex? {
    var levels = buckets.occupied
    if !availability.isComplete, buckets.all.first(in: availability.chunks, wordsRead: &wordsRead) == nil { levels = 0 }
    while levels != 0 {
      let level = levels.trailingZeroBitCount
      levels &= levels - 1
      for range in start < limit ? [start..<limit, 0..<start] : [0..<limit] {
        if let chunk = chooseWhole(at: level, for: availability, range, excluded) { return chunk }
      }
    }
    return choosePart(of: availability, below: limit, excluded)
  }

  private mutating func chooseWhole(
    at level: Int, for availability: RemoteAvailability, _ range: Range<Int>, _ excluded: Set<ChunkIndex>
  ) -> ChunkIndex? {
    var start = range.lowerBound
    while start < range.upperBound,
      let found = buckets.first(
        at: level, in: availability.isComplete ? nil : availability.chunks, from: start, wordsRead: &wordsRead),
      found < range.upperBound
    {
      let chunk = ChunkIndex(UInt32(found))
      if !excluded.contains(chunk) { return chunk }
      start = found + 1
    }
    return nil
  }

  private func choosePart(of availability: RemoteAvailability, below limit: Int, _ excluded: Set<ChunkIndex>)
    -> ChunkIndex?
  {
    var best: (chunk: ChunkIndex, count: Int)?
    for (chunk, leaves) in availability.partial where phases[Int(chunk.rawValue)] == .open {
      let count = (leaves & ~(progress[chunk]?.verified ?? 0)).nonzeroBitCount
      guard count > 0, isListed.contains(Int(chunk.rawValue)), chunk.rawValue < limit, !excluded.contains(chunk) else {
        continue
      }
      // The order of a dictionary is nobody's: ties go to the lower chunk.
      if best == nil || count > best!.count || count == best!.count && chunk.rawValue < best!.chunk.rawValue {
        best = (chunk, count)
      }
    }
    return best?.chunk
  }

  mutating func ask(_ chunk: ChunkIndex, _ asker: Asker) {
    let phase = phases[Int(chunk.rawValue)]
    precondition(phase == .open || phase == .inFlight, "only a missing chunk is asked for")
    withdraw(chunk)
    phases[Int(chunk.rawValue)] = .inFlight
    progress[chunk, default: Progress()].askers.append(asker)
    precondition(progress[chunk]!.askers.count <= ChunkTable.askersMax, "too many askers")
  }

  mutating func clockStarted(on chunk: ChunkIndex, at now: Instant) { progress[chunk]?.started = now }

  /// One asker less; without any other the chunk may be chosen again.
  mutating func drop(_ connection: ConnectionID, _ request: RequestID, of chunk: ChunkIndex) {
    guard phases[Int(chunk.rawValue)] == .inFlight else { return }
    progress[chunk]!.askers.removeAll { $0.connection == connection && $0.request == request }
    if progress[chunk]!.askers.isEmpty {
      phases[Int(chunk.rawValue)] = .open
      offer(chunk)
    }
  }

  /// Takes in leaves that hash and are written. Returns those that were new, and whether the chunk is now had.
  mutating func verify(_ leaves: LeafRange, of chunk: ChunkIndex) -> (new: UInt64, isNowHad: Bool) {
    verify(mask: leaves.mask, of: chunk)
  }

  mutating func verify(mask: UInt64, of chunk: ChunkIndex) -> (new: UInt64, isNowHad: Bool) {
    let phase = phases[Int(chunk.rawValue)]
    guard phase != .have, phase != .failed else { return (0, false) }
    let whole = layout.leaves(of: chunk).mask
    let before = progress[chunk]?.verified ?? 0
    let after = before | (mask & whole)
    progress[chunk, default: Progress()].verified = after
    guard after == whole else { return (after & ~before, false) }
    withdraw(chunk)
    phases[Int(chunk.rawValue)] = .have
    haveCount += 1
    unfinished.remove(Int(chunk.rawValue))
    progress[chunk] = nil
    return (after & ~before, true)
  }

  /// The chunk waits in the retry queue, unless a peer is asked for it.
  mutating func rest(_ chunk: ChunkIndex) {
    guard isOpen(chunk) else { return }
    withdraw(chunk)
    phases[Int(chunk.rawValue)] = .resting
  }

  /// The wait in the retry queue is over.
  mutating func wake(_ chunk: ChunkIndex) {
    guard phases[Int(chunk.rawValue)] == .resting else { return }
    phases[Int(chunk.rawValue)] = .open
    offer(chunk)
  }

  /// Out of retries.
  mutating func giveUp(_ chunk: ChunkIndex) {
    withdraw(chunk)
    phases[Int(chunk.rawValue)] = .failed
  }

  /// Something outside changed what may be chosen: those that had nothing to give are asked again.
  mutating func reconsider() {
    generation += 1
    offered.removeAll(keepingCapacity: true)
    offeredSince = generation
  }

  /// The chunks that became choosable since the last call, or since all have to be asked again if that was later: who had
  /// nothing to give in that generation or after it, and has none of these, has nothing to give now.
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

  /// A peer more has these chunks, of the 64 of one word. What may be chosen stays the same.
  mutating func addCopies(of members: UInt64, inWord word: Int) {
    // From the top, so that nothing moves twice.
    var levels = isInOrder ? 0 : buckets.occupied & ~(1 << UInt64(ChunkTable.rarityMax))
    while levels != 0 {
      let level = 63 - levels.leadingZeroBitCount
      levels &= ~(1 << UInt64(level))
      buckets.move(members, ofWord: word, from: level, to: level + 1)
    }
    forEach(members, inWord: word) { $0 = $0 == .max ? .max : $0 + 1 }
  }

  /// A peer less has these chunks.
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
