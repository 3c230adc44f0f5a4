// Who is sent the next piece, and whose requests are to come again later: what nobody else has goes first.

/// The turns of one uploader's connections. A source's upload is what limits a crowd: as long as it is taken by chunks
/// that nobody else was promised (`UploadLedger`), others wait, or come again when those others may give them what they
/// want. But nobody waits for ever. Not shared between threads.
public struct UploadTurns: Sendable {
  /// A connection, by a number of the shell's choice.
  public typealias Reader = UInt64
  /// When who was put off is to ask again; elsewhere it may ask at once.
  public static let retryAfterMilliseconds: UInt32 = 100
  /// Readers whose requests wait at a time: what the next one asks for is likely to be sooner from somebody else.
  public static let readersMax = 8
  /// A source of the whole file, which may be the only one, puts nobody off for longer.
  static let deferralMax: Duration = .seconds(10)
  /// Of so many turns one is not for those that go first.
  static let turnsPerOther = 16

  private var first: [Reader] = []
  private var others: [Reader] = []
  private var firstInRow = 0
  /// When a reader was put off for the first time since a request of it was taken in.
  private var deferred: [Reader: Instant] = [:]

  public init() {}

  public var isEmpty: Bool { first.isEmpty && others.isEmpty }

  /// Whether a request is to be taken in; else it is to come again.
  /// - `isFirst`: whether its reader is the first that is promised the chunk (of a file that is here in part: always).
  /// - `isComplete`: whether the whole file is here.
  /// - `readersWaiting`: others whose requests wait, and are first, or not, alike.
  public mutating func accepts(
    _ reader: Reader, isFirst: Bool, isComplete: Bool, readersWaiting: Int, at now: Instant
  ) -> Bool {
    if readersWaiting >= UploadTurns.readersMax || !isFirst && !first.isEmpty {
      let since = deferred[reader] ?? now
      deferred[reader] = since
      if !isComplete || now - since < UploadTurns.deferralMax { return false }
    }
    deferred[reader] = nil
    return true
  }

  /// A reader can be sent a piece, and waits for its turn.
  /// - `isFirst`: whether the piece is of a chunk that the reader was promised first.
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
    deferred[reader] = nil
  }
}
