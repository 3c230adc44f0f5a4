// Which connection gets the next piece: chunks that no other peer has go first, and each address gets the same share.

/// The turns of the connections that one thread sends to. Address groups take turns, and within a group its connections do:
/// a host gains nothing from many connections. A group that the node's other threads sent more to waits longer here
/// (`UploadShares`). Not shared between threads.
public struct UploadTurns: Sendable {
  /// One in this many turns goes to a connection that does not go first, so that none waits for ever.
  static let turnsPerOther = 16
  /// A group that was sent so many bytes more than another, or a quarter more, still has its turn. Peers of a swarm
  /// differ by as much, and to make them equal would cost the swarm time.
  static let leadMax = 4 << 20
  /// Of the groups that have waited longest, the turn compares so many: a constant cost, whatever the number of groups.
  static let groupsCompared = 8
  /// The group that has waited longest lets others go first so many times in a row: a host with one connection on each
  /// of two threads makes progress on both.
  static let passesMax = 7

  /// Groups that wait for a turn, and the connections of each that do.
  private struct Lane: Sendable {
    /// In the order of their turns, each once.
    private var ring: [AddressGroup] = []
    /// In the order of their turns. A group that has none waiting may keep its empty list.
    private var readers: [AddressGroup: [ConnectionToken]] = [:]
    /// How many times in a row another group went before the first of the ring.
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

    /// The group that has waited longest. If it was sent much more than another of those that have waited longest, then
    /// the one of these that was sent least.
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

  /// Whether no two groups compete: then it does not matter what they were sent.
  public var isOfOneGroup: Bool { first.groupCount + others.groupCount <= 1 }

  /// A reader can be sent a piece, and waits for its turn.
  /// - `isFirst`: whether no other peer was promised the piece's chunk before it (`UploadPromises`).
  public mutating func enqueue(_ reader: ConnectionToken, of group: AddressGroup, isFirst: Bool) {
    if isFirst { first.enqueue(reader, of: group) } else { others.enqueue(reader, of: group) }
  }

  /// Takes the reader whose turn it is; nil if none waits.
  /// - `sent`: the bytes that the whole node sent to a group lately (`UploadShares`).
  public mutating func next(sent: (AddressGroup) -> Int) -> ConnectionToken? {
    let isOthers = areOthersNext(sent: sent)
    firstInRow = isOthers ? 0 : min(firstInRow + 1, UploadTurns.turnsPerOther - 1)
    othersInRow = isOthers && !first.isEmpty ? othersInRow + 1 : 0
    return isOthers ? others.next(sent: sent) : first.next(sent: sent)
  }

  /// A host that always asks for what no other peer has must not keep back the others: it could ask for new pieces of a
  /// large file for ever. Nor does a host that was sent little keep it back for long.
  private func areOthersNext(sent: (AddressGroup) -> Int) -> Bool {
    guard let other = others.head else { return false }
    guard let head = first.head, firstInRow < UploadTurns.turnsPerOther - 1 else { return true }
    guard othersInRow < UploadTurns.passesMax else { return false }
    let bytes = sent(other)
    return sent(head) - bytes > bytes + UploadTurns.leadMax
  }

  /// The reader has gone.
  public mutating func leave(_ reader: ConnectionToken, of group: AddressGroup) {
    first.leave(reader, of: group)
    others.leave(reader, of: group)
  }
}
