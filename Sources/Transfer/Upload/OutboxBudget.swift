// Which connections are closed when all outboxes of a node together hold too much.

/// Chooses connections whose peers do not read, so that the other connections continue.
public struct OutboxBudget: Sendable {
  /// The bytes that wait to be sent on one connection.
  public struct Outbox: Hashable, Sendable {
    public let reader: ConnectionToken
    public let byteCount: Int
    /// When the peer last took bytes, or when the outbox was last empty.
    public let taken: Instant

    public init(reader: ConnectionToken, byteCount: Int, taken: Instant) {
      (self.reader, self.byteCount, self.taken) = (reader, byteCount, taken)
    }
  }

  /// A peer that takes nothing for this long may be disconnected: no round trip and no resent segment takes longer.
  public static let patience: Duration = .seconds(1)
  /// The most bytes that wait for a peer that reads: a piece with its hashes, and hints. More bytes wait only for a
  /// peer that sends requests and does not read.
  public static let pieceBytesMax = 112 << 10

  public let byteCountMax: Int

  public init(byteCountMax: Int) { self.byteCountMax = byteCountMax }

  /// Returns whether this many bytes in all outboxes are so close to the limit that connections have to be closed.
  public func isShort(at byteCount: Int) -> Bool { byteCount > byteCountMax / 8 * 7 }

  /// Returns the connections to close, of one of `loopCount` loops: first those whose peers take nothing, then those
  /// that hold more than a piece. Among each, the ones that hold most come first, then the ones that have waited
  /// longest. The remaining connections hold at most three quarters of the loop's share, unless too few connections may
  /// be closed.
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
