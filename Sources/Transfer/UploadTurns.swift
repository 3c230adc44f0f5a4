// Who is sent the next piece: what nobody else has goes first.

/// The turns of connections that one thread sends to. But nobody waits for ever. Not shared between threads.
public struct UploadTurns: Sendable {
  /// A connection, by a number of the shell's choice.
  public typealias Reader = UInt64
  /// Of so many turns one is not for those that go first.
  static let turnsPerOther = 16

  private var first: [Reader] = []
  private var others: [Reader] = []
  private var firstInRow = 0

  public init() {}

  public var isEmpty: Bool { first.isEmpty && others.isEmpty }

  /// A reader can be sent a piece, and waits for its turn.
  /// - `isFirst`: whether nobody was promised the piece's chunk before it (`UploadLedger`).
  public mutating func enqueue(_ reader: Reader, isFirst: Bool) {
    if isFirst { first.append(reader) } else { others.append(reader) }
  }

  /// Takes the reader whose turn it is; nil where nobody waits.
  public mutating func next() -> Reader? {
    let isOthers = first.isEmpty || firstInRow == UploadTurns.turnsPerOther - 1 && !others.isEmpty
    firstInRow = isOthers ? 0 : min(firstInRow + 1, UploadTurns.turnsPerOther - 1)
    if isOthers { return others.isEmpty ? nil : others.removeFirst() }
    return first.removeFirst()
  }

  /// The reader has gone.
  public mutating func leave(_ reader: Reader) {
    first.removeAll { $0 == reader }
    others.removeAll { $0 == reader }
  }
}
