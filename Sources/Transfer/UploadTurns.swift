// Which connection is sent the next piece: what no other peer has goes first, and each address gets the same share.

/// The turns of the connections that one thread sends to. Address groups take turns, and within a group its connections do:
/// a host gains nothing by connecting often. Not shared between threads.
public struct UploadTurns: Sendable {
  /// A connection, by a number of the shell's choice.
  public typealias Reader = UInt64
  /// Of so many turns one is not for those that go first, so that no connection waits for ever.
  static let turnsPerOther = 16

  /// Groups that wait for a turn, and the connections of each that do.
  private struct Lane: Sendable {
    /// In the order of their turns, each once.
    private var ring: [AddressGroup] = []
    /// In the order of their turns. A group that has none waiting may keep its empty list.
    private var readers: [AddressGroup: [Reader]] = [:]

    var isEmpty: Bool { ring.isEmpty }

    mutating func enqueue(_ reader: Reader, of group: AddressGroup) {
      readers[group, default: []].append(reader)
      if readers[group]!.count == 1 { ring.append(group) }
    }

    mutating func next() -> Reader? {
      guard !ring.isEmpty else { return nil }
      let group = ring.removeFirst()
      let reader = readers[group]!.removeFirst()
      if !readers[group]!.isEmpty { ring.append(group) }
      return reader
    }

    mutating func leave(_ reader: Reader, of group: AddressGroup) {
      guard readers[group] != nil else { return }
      readers[group]!.removeAll { $0 == reader }
      guard readers[group]!.isEmpty else { return }
      readers[group] = nil
      ring.removeAll { $0 == group }
    }
  }

  private var first = Lane()
  private var others = Lane()
  private var firstInRow = 0

  public init() {}

  public var isEmpty: Bool { first.isEmpty && others.isEmpty }

  /// A reader can be sent a piece, and waits for its turn.
  /// - `isFirst`: whether no other peer was promised the piece's chunk before it (`UploadLedger`).
  public mutating func enqueue(_ reader: Reader, of group: AddressGroup, isFirst: Bool) {
    if isFirst { first.enqueue(reader, of: group) } else { others.enqueue(reader, of: group) }
  }

  /// Takes the reader whose turn it is; nil if none waits.
  public mutating func next() -> Reader? {
    let isOthers = first.isEmpty || firstInRow == UploadTurns.turnsPerOther - 1 && !others.isEmpty
    firstInRow = isOthers ? 0 : min(firstInRow + 1, UploadTurns.turnsPerOther - 1)
    return isOthers ? others.next() : first.next()
  }

  /// The reader has gone.
  public mutating func leave(_ reader: Reader, of group: AddressGroup) {
    first.leave(reader, of: group)
    others.leave(reader, of: group)
  }
}
