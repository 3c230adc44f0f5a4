// Which peers failed to give a chunk or page, and when that costs a retry: in a round each peer gets one try.
import Content
import Wire

/// A chunk or page that a download asks peers for.
enum FetchItem: Hashable, Sendable {
  case chunk(ChunkIndex)
  case page(PageIndex)
}

/// The attempts at one chunk or page since it first failed or a peer gave it back. Peers are identified by their
/// numbers.
///
/// The first failure begins a round and freezes its members. Further failures within the round cost nothing. The round
/// is over when each member has failed, has left or has none of the missing leaves. Then one retry is spent, and the
/// next failure begins the next round.
struct FailureHistory: Sendable {
  /// The standing of a peer. A peer that has not failed comes before one that failed in an earlier round or gave the
  /// item back.
  enum Standing: Int, Comparable, Sendable {
    case untried, failedBefore, failedNow
    static func < (a: Standing, b: Standing) -> Bool { a.rawValue < b.rawValue }
  }

  /// How a peer failed.
  enum Failing: Sendable { case failed, left, wasSilent }

  /// Leaves that a chunk must gain for its retries to count from zero again: one frame of the wire.
  static let leavesForReset = 4
  /// A peer that has no room answers BUSY sooner than this.
  static let promptReturnMax: Duration = .milliseconds(500)
  /// How often an item may be given back promptly before that counts: in a crowd many peers have no room.
  static let promptReturnsFree = 4
  /// How many items are remembered that were given back and never failed. Each is checked whenever a peer is asked.
  /// While more of a file is missing, each honest peer has something else to give.
  static let returnsMax = 64
  /// With more histories than this, empty ones are dropped: those whose peers are all forgotten.
  static let forgottenFrom = 2 * returnsMax

  /// The members of the round; nil between two rounds.
  fileprivate(set) var members: Set<Int>?
  fileprivate(set) var failedNow: Set<Int> = []
  /// The members of `failedNow` that were only slow to begin. They spend no retry.
  fileprivate(set) var silentNow: Set<Int> = []
  /// The peers that failed in an earlier round, or gave the item back without an answer.
  fileprivate(set) var failedBefore: Set<Int> = []
  /// Retries spent since the last reset.
  fileprivate(set) var retries = 0
  /// Rounds lost since the last reset, including those that cost no retry. The delay grows with them.
  fileprivate(set) var lostRounds = 0
  fileprivate var leavesGained = 0
  /// The peer that failed last, and how; nil before the first failure.
  fileprivate(set) var lastFailure: (peer: PeerID, reason: RetryReason)?

  /// Whether the history is empty: no peer that failed or gave the item back, no lost round, no retry.
  fileprivate var isForgotten: Bool { failedNow.isEmpty && failedBefore.isEmpty && lostRounds == 0 && retries == 0 }

  func standing(of peer: Int) -> Standing {
    failedNow.contains(peer) ? .failedNow : failedBefore.contains(peer) ? .failedBefore : .untried
  }
}

/// The histories of the items that failed or were given back and are still wanted, and the delay after each round.
/// Empty in a download without trouble.
struct RetryRounds: Sendable {
  private var histories: [FetchItem: FailureHistory] = [:]
  /// Items that were given back before they failed, the oldest first.
  private var returns: [FetchItem] = []
  /// How often each item that is still wanted was given back promptly.
  private var promptReturns = RecentTable<FetchItem, Int>(capacity: FailureHistory.returnsMax)
  /// The items that wait for their next round.
  private var resting = RetryQueue()

  var isEmpty: Bool { histories.isEmpty }
  /// The chunks among the items, in any order.
  var chunks: [ChunkIndex] {
    histories.keys.compactMap { if case .chunk(let chunk) = $0 { chunk } else { nil } }
  }

  subscript(item: FetchItem) -> FailureHistory? { histories[item] }

  /// Counts a failure. The first one of a round freezes its members.
  /// - `how`: `left` does not count against the peer, because it may come back.
  mutating func fail(
    _ item: FetchItem, by number: Int, _ peer: PeerID, _ reason: RetryReason, _ how: FailureHistory.Failing,
    members: Set<Int>
  ) {
    var entry = histories[item] ?? FailureHistory()
    entry.lastFailure = (peer, reason)
    if entry.members == nil { entry.members = members }
    if how != .left { entry.failedNow.insert(number) }
    if how == .wasSilent { entry.silentNow.insert(number) }
    histories[item] = entry
  }

  /// Notes that a peer gave the item back without an answer. That is no failure and begins no round. But strangers that
  /// take turns could keep the item from all other peers, so from now on the other peers that have it come first.
  /// - `heldFor`: how long no other peer could be asked for it.
  mutating func gaveBack(_ item: FetchItem, by number: Int, heldFor: Duration) {
    if heldFor < FailureHistory.promptReturnMax {
      let count = (promptReturns[item] ?? 0) + 1
      promptReturns[item] = count
      guard count > FailureHistory.promptReturnsFree else { return }
    }
    if histories[item] == nil { makeRoomForReturn(of: item) }
    histories[item, default: FailureHistory()].failedBefore.insert(number)
  }

  private mutating func makeRoomForReturn(of item: FetchItem) {
    if returns.count == FailureHistory.returnsMax {
      let oldest = returns.removeFirst()
      if histories[oldest]?.lastFailure == nil { histories[oldest] = nil }
    }
    returns.append(item)
  }

  /// Returns whether each member of the round has failed or has nothing to give. False between two rounds.
  func isOver(_ item: FetchItem, canGive: (Int) -> Bool) -> Bool {
    guard let entry = histories[item], let members = entry.members else { return false }
    return members.allSatisfy { entry.failedNow.contains($0) || !canGive($0) }
  }

  /// Ends the round. Returns the history after it.
  /// - `costsRetry`: whether the lost round spends a retry.
  mutating func end(_ item: FetchItem, costsRetry: Bool) -> FailureHistory {
    guard var entry = histories[item] else { preconditionFailure("a round that never began has no end") }
    entry.lostRounds += 1
    if costsRetry { entry.retries += 1 }
    entry.leavesGained = 0
    entry.failedBefore.formUnion(entry.failedNow)
    (entry.failedNow, entry.silentNow) = ([], [])
    entry.members = nil
    histories[item] = entry
    return entry
  }

  /// Begins the wait of an item after a round. Returns how long it is: the more lost rounds, the longer.
  mutating func rest(_ item: FetchItem, at now: Instant, using generator: inout SeededGenerator) -> Duration {
    resting.add(item, attempt: max(histories[item]?.lostRounds ?? 0, 1), at: now, using: &generator)
  }

  /// Returns the first item, in a fixed order, that is out of retries.
  func firstOutOfRetries(retriesMax: Int) -> (FetchItem, FailureHistory)? {
    outOfRetries(retriesMax: retriesMax).first.map { ($0, histories[existing: $0]) }
  }

  private func outOfRetries(retriesMax: Int) -> [FetchItem] {
    if histories.isEmpty { return [] }
    return histories.filter { $0.value.retries > retriesMax }.map(\.key).sorted { $0.order < $1.order }
  }

  /// Resets the items that are out of retries. Returns those of them that were waiting; their wait ends.
  mutating func forgive(retriesMax: Int) -> [FetchItem] {
    let items = outOfRetries(retriesMax: retriesMax)
    for item in items {
      histories[existing: item].retries = 0
      histories[existing: item].lostRounds = 0
      histories[existing: item].leavesGained = 0
    }
    return items.filter { resting.remove($0) }
  }

  var restingCount: Int { resting.count }
  /// When the first wait of an item is over.
  var deadline: Instant? { resting.deadline }

  /// Removes and returns an item whose wait is over.
  mutating func nextDue(at now: Instant) -> FetchItem? { resting.nextDue(at: now) }

  /// Counts verified leaves of a chunk. A few leaves do not reset the retries: a peer could send one now and then for
  /// ever.
  mutating func gained(_ leafCount: Int, of chunk: ChunkIndex) {
    guard !histories.isEmpty, var entry = histories[.chunk(chunk)] else { return }
    entry.leavesGained += leafCount
    if entry.leavesGained >= FailureHistory.leavesForReset {
      (entry.retries, entry.lostRounds, entry.leavesGained) = (0, 0, 0)
    }
    histories[.chunk(chunk)] = entry
  }

  /// Drops the history and the wait of an item that is verified.
  mutating func remove(_ item: FetchItem) {
    resting.remove(item)
    if histories.removeValue(forKey: item) != nil { returns.removeAll { $0 == item } }
    if !promptReturns.isEmpty { promptReturns[item] = nil }
  }

  /// The items with an open round, in a fixed order.
  var underWay: [FetchItem] {
    histories.filter { $0.value.members != nil }.map(\.key).sorted { $0.order < $1.order }
  }

  /// Forgets a peer, because another one gets its number.
  mutating func forget(_ peer: Int) {
    for (item, var entry) in histories {
      entry.members?.remove(peer)
      entry.silentNow.remove(peer)
      entry.failedNow.remove(peer)
      entry.failedBefore.remove(peer)
      histories[item] = entry
    }
    guard histories.count > FailureHistory.forgottenFrom else { return }
    histories = histories.filter { !$0.value.isForgotten }
    returns.removeAll { histories[$0] == nil }
  }
}

extension FetchItem {
  /// Pages before chunks, each by index.
  fileprivate var order: UInt64 {
    switch self {
    case .page(let page): UInt64(page.rawValue)
    case .chunk(let chunk): 1 << 32 | UInt64(chunk.rawValue)
    }
  }
}
