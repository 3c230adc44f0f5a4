// Which connection gets the next piece: chunks that no other peer has go first, and each address group gets the same
// share.

/// The turns of the connections that one thread sends to. Address groups take turns, and the connections of a group
/// share the group's turns, so a host gains nothing from many connections. A group that got more from the node's other
/// threads waits longer here (`UploadShares`). Not shared between threads.
public struct UploadTurns: Sendable {
  /// One in this many turns goes to a connection whose piece does not go first, so that none waits for ever.
  static let turnsPerOther = 16
  /// A group that was sent at most so many bytes more than another, or a quarter more, still has its turn. Peers of a
  /// swarm differ by as much, and making them equal would slow the swarm down.
  static let leadMax = 4 << 20
  /// How many of the groups that have waited longest are compared for a turn, so that a turn has a constant cost.
  static let groupsCompared = 8
  /// How many times in a row others may go before the group that has waited longest, so that a host with one connection
  /// on each of two threads makes progress on both.
  static let passesMax = 7

  /// Groups that wait for a turn, and their connections that wait.
  private struct Lane: Sendable {
    /// The groups, each once, in the order of their turns.
    private var ring: [AddressGroup] = []
    /// The waiting connections of each group, in the order of their turns. A group without any may keep an empty list.
    private var readers: [AddressGroup: [ConnectionToken]] = [:]
    /// How many times in a row another group went before the first group of the ring.
    private var passes = 0

    var isEmpty: Bool { ring.isEmpty }
    var groupCount: Int { ring.count }
    /// The group that has waited longest.
    var head: AddressGroup? { ring.first }

    mutating func enqueue(_ reader: ConnectionToken, of group: AddressGroup) {
      readers[group, default: []].append(reader)
      if readers[group]?.count == 1 { ring.append(group) }
    }

    mutating func next(sent: (AddressGroup) -> Int) -> ConnectionToken? {
      guard !ring.isEmpty else { return nil }
      let group = ring.remove(at: nextIndex(sent: sent))
      let reader = readers[existing: group].removeFirst()
      if !readers[existing: group].isEmpty { ring.append(group) }
      return reader
    }

    /// Returns the place of the group that has waited longest. If that group was sent much more than another of the
    /// groups that are compared, returns the place of the one that was sent least.
    private mutating func nextIndex(sent: (AddressGroup) -> Int) -> Int {
      guard ring.count > 1, passes < UploadTurns.passesMax else {
        passes = 0
        return 0
      }
      let most = sent(ring[0])
      var (next, least) = (0, most)
      for index in 1..<min(ring.count, UploadTurns.groupsCompared) {
        let bytes = sent(ring[index])
        if bytes < least { (next, least) = (index, bytes) }
      }
      if most - least <= max(least / 4, UploadTurns.leadMax) { next = 0 }
      passes = next == 0 ? 0 : passes + 1
      return next
    }

    mutating func leave(_ reader: ConnectionToken, of group: AddressGroup) {
      readers[group]?.removeAll { $0 == reader }
      guard readers[group]?.isEmpty == true else { return }
      readers[group] = nil
      ring.removeAll { $0 == group }
    }
  }

  private var first = Lane()
  private var others = Lane()
  private var firstInRow = 0
  private var othersInRow = 0

  public init() {}

  public var isEmpty: Bool { first.isEmpty && others.isEmpty }

  /// Whether no two groups compete. Then `next` does not need the bytes that they were sent.
  public var isOfOneGroup: Bool { first.groupCount + others.groupCount <= 1 }

  /// Queues a reader that can be sent a piece.
  /// - `isFirst`: whether no other peer was promised the piece's chunk before it (`UploadPromises`).
  public mutating func enqueue(_ reader: ConnectionToken, of group: AddressGroup, isFirst: Bool) {
    if isFirst { first.enqueue(reader, of: group) } else { others.enqueue(reader, of: group) }
  }

  /// Removes and returns the reader whose turn it is; nil if none waits.
  /// - `sent`: returns the bytes that the whole node sent to a group lately (`UploadShares`).
  public mutating func next(sent: (AddressGroup) -> Int) -> ConnectionToken? {
    let isOthers = areOthersNext(sent: sent)
    firstInRow = isOthers ? 0 : min(firstInRow + 1, UploadTurns.turnsPerOther - 1)
    othersInRow = isOthers && !first.isEmpty ? othersInRow + 1 : 0
    return isOthers ? others.next(sent: sent) : first.next(sent: sent)
  }

  /// Returns whether a connection whose piece does not go first has the turn. A host that always asks for chunks that
  /// no other peer has must not block the others: it could ask for new pieces of a large file for ever. Nor may a host
  /// that was sent little block that host for long.
  private func areOthersNext(sent: (AddressGroup) -> Int) -> Bool {
    guard let other = others.head else { return false }
    guard let head = first.head, firstInRow < UploadTurns.turnsPerOther - 1 else { return true }
    guard othersInRow < UploadTurns.passesMax else { return false }
    let bytes = sent(other)
    return sent(head) - bytes > bytes + UploadTurns.leadMax
  }

  /// Removes a reader whose connection is gone.
  public mutating func leave(_ reader: ConnectionToken, of group: AddressGroup) {
    first.leave(reader, of: group)
    others.leave(reader, of: group)
  }
}
