// Which connections end when all outboxes of a node together hold too much.

/// Chooses connections whose peers do not read, so that the other connections continue.
public struct OutboxBudget: Sendable {
  /// What one connection holds.
  public struct Outbox: Hashable, Sendable {
    public let reader: ConnectionToken
    public let byteCount: Int
    /// When its peer last took something, or the outbox was last empty.
    public let taken: Instant

    public init(reader: ConnectionToken, byteCount: Int, taken: Instant) {
      (self.reader, self.byteCount, self.taken) = (reader, byteCount, taken)
    }
  }

  /// A peer that takes nothing for this long may be disconnected: no round trip and no lost segment takes longer.
  public static let patience: Duration = .seconds(1)
  /// What a peer that reads can have waiting at a time: a piece with its hashes, and hints. More waits only for one that asks and does not read.
  public static let pieceBytesMax = 112 << 10

  public let byteCountMax: Int

  public init(byteCountMax: Int) { self.byteCountMax = byteCountMax }

  /// Whether this many bytes are so near to the bound that connections have to end.
  public func isShort(at byteCount: Int) -> Bool { byteCount > byteCountMax / 8 * 7 }

  /// The connections of one of `loopCount` loops that end: those that take nothing, then those that hold more than a
  /// piece; of both the ones that hold most, then the ones that wait longest. The rest holds three quarters of the loop's
  /// share at most, as far as there are such connections.
  public func ending(_ outboxes: [Outbox], loopCount: Int, at now: Instant) -> [ConnectionToken] {
    var excess = outboxes.reduce(0) { $0 + $1.byteCount } - byteCountMax / 4 * 3 / max(1, loopCount)
    guard excess > 0 else { return [] }
    func isStalled(_ outbox: Outbox) -> Bool { now - outbox.taken >= OutboxBudget.patience }
    let candidates = outboxes.filter {
      $0.byteCount > 0 && (isStalled($0) || $0.byteCount > OutboxBudget.pieceBytesMax)
    }
    .sorted { a, b in
      if isStalled(a) != isStalled(b) { return isStalled(a) }
      return a.byteCount != b.byteCount
        ? a.byteCount > b.byteCount : (a.taken, a.reader) < (b.taken, b.reader)
    }
    var ending: [ConnectionToken] = []
    for outbox in candidates where excess > 0 {
      ending.append(outbox.reader)
      excess -= outbox.byteCount
    }
    return ending
  }
}
