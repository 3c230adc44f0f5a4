// Who failed to give a chunk or a page, and when that costs a retry: rounds of peers that each get one try.
import Content
import Wire

/// What a download asks peers for.
enum FetchItem: Hashable, Sendable {
  case chunk(ChunkIndex)
  case page(PageIndex)
}

/// What was tried for one chunk or page since it first failed or came back. Peers are named by their numbers.
///
/// The first failure freezes the members of a round. A failure within the round costs nothing more. The round is over
/// when each member has failed, has left or has nothing of what is missing; then one retry is spent, and the next failure
/// freezes the next round.
struct FailureHistory: Sendable {
  /// Where a peer stands: a peer that has not failed comes before one that failed in an earlier round or gave it back.
  enum Standing: Int, Comparable, Sendable {
    case untried, failedBefore, failedNow
    static func < (a: Standing, b: Standing) -> Bool { a.rawValue < b.rawValue }
  }

  /// In which way a peer failed.
  enum Failing: Sendable { case failed, left, wasSilent }

  /// Leaves that a chunk must gain for its retries to count from zero again: one frame of the wire.
  static let leavesForReset = 4
  /// A peer that has no room says BUSY sooner than this.
  static let promptReturnMax: Duration = .milliseconds(500)
  /// So often something may come back promptly before that counts: in a crowd many peers have no room.
  static let promptReturnsFree = 4
  /// Of what came back and never failed, so much is remembered: each costs a look whenever a peer is asked. Of a file of
  /// which more is missing, each honest peer has something else to give.
  static let returnsMax = 64
  /// With more in trouble, what only forgotten peers failed or gave back is forgotten too.
  static let forgottenFrom = 2 * returnsMax

  /// Nil between two rounds.
  fileprivate(set) var members: Set<Int>?
  fileprivate(set) var failedNow: Set<Int> = []
  /// Of `failedNow`, those that were only slow to begin: no retry is spent for them.
  fileprivate(set) var silentNow: Set<Int> = []
  /// The peers that failed in an earlier round, or gave it back without an answer.
  fileprivate(set) var failedBefore: Set<Int> = []
  /// Spent since the last reset.
  fileprivate(set) var retries = 0
  /// Rounds that were lost since the last reset; those that cost no retry included. The delay grows with them.
  fileprivate(set) var lostRounds = 0
  fileprivate var leavesGained = 0
  /// The peer that failed last, and how; nil before the first failure.
  fileprivate(set) var lastFailure: (peer: PeerID, reason: RetryReason)?

  /// Whether no peer is remembered that failed it or gave it back, and no round was lost.
  fileprivate var isForgotten: Bool { failedNow.isEmpty && failedBefore.isEmpty && lostRounds == 0 && retries == 0 }

  func standing(of peer: Int) -> Standing {
    failedNow.contains(peer) ? .failedNow : failedBefore.contains(peer) ? .failedBefore : .untried
  }
}

/// The histories of what failed or came back and is still item. Empty in a download without trouble.
struct RetryRounds: Sendable {
  private var histories: [FetchItem: FailureHistory] = [:]
  /// What came back before it failed, the oldest first.
  private var returns: [FetchItem] = []
  /// How often something that is still item came back promptly.
  private var promptReturns = RecentTable<FetchItem, Int>(capacity: FailureHistory.returnsMax)

  var isEmpty: Bool { histories.isEmpty }
  /// The chunks among it, in no order.
  var chunks: [ChunkIndex] {
    histories.keys.compactMap { if case .chunk(let chunk) = $0 { chunk } else { nil } }
  }

  subscript(item: FetchItem) -> FailureHistory? { histories[item] }

  /// Counts a failure. The first one of a round freezes its members.
  /// - `how`: a peer that has left may come back: that is not held against it.
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

  /// A peer gave something back without an answer. That is no failure and begins no round, but strangers that take turns
  /// in it would keep it from all others: from now on the others that have it come first.
  /// - `heldFor`: how long others could not be asked for it meanwhile.
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

  /// Whether each member of the round has failed, or can give nothing more. False between two rounds.
  func isOver(_ item: FetchItem, canGive: (Int) -> Bool) -> Bool {
    guard let entry = histories[item], let members = entry.members else { return false }
    return members.allSatisfy { entry.failedNow.contains($0) || !canGive($0) }
  }

  /// Ends the round. Returns the histories after it.
  /// - `costsRetry`: false: the round is lost without spending a retry.
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

  /// Leaves of a chunk were verified. A few do not give the retries back: a peer could send one now and then for ever.
  mutating func gained(_ leafCount: Int, of chunk: ChunkIndex) {
    guard !histories.isEmpty, var entry = histories[.chunk(chunk)] else { return }
    entry.leavesGained += leafCount
    if entry.leavesGained >= FailureHistory.leavesForReset {
      (entry.retries, entry.lostRounds, entry.leavesGained) = (0, 0, 0)
    }
    histories[.chunk(chunk)] = entry
  }

  /// It is there: nothing of it is remembered.
  mutating func remove(_ item: FetchItem) {
    if histories.removeValue(forKey: item) != nil { returns.removeAll { $0 == item } }
    if !promptReturns.isEmpty { promptReturns[item] = nil }
  }

  /// Everything with a round that is not over, in a fixed order.
  var underWay: [FetchItem] {
    histories.filter { $0.value.members != nil }.map(\.key).sorted { $0.order < $1.order }
  }

  /// Another peer gets the number.
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
