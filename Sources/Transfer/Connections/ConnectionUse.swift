// The use of an inbound connection, as the admission ranks it.
import Wire

/// Follows how a peer uses its connection. Does no I/O and reads no clock.
public struct ConnectionUse: Sendable {
  /// The use as of the latest `note`.
  public private(set) var use = ConnectionAdmission.Use.nothingOpen
  /// When the use last became `nothingOpen` or `busy`, or when the peer last waited for something.
  private var usedAt: Instant

  /// Begins when the connection is admitted.
  public init(at now: Instant) { usedAt = now }

  /// Updates `use`. Call it after each event. True if `use` has changed.
  /// - `isOpen`: the peer has a file open here, or the node fetches from it.
  /// - `isWaiting`: the peer waits for something that it has asked for, or the node fetches from it.
  public mutating func note(isOpen: Bool, isWaiting: Bool, at now: Instant) -> Bool {
    if isWaiting || isOpen && use == .nothingOpen { usedAt = now }
    let isRecent = now - usedAt < NodeLimits.idleUseTime
    let new: ConnectionAdmission.Use = !isOpen ? .nothingOpen : isRecent ? .busy : .idle
    guard new != use else { return false }
    use = new
    if new == .nothingOpen { usedAt = now }
    return true
  }

  /// Returns whether the peer has had nothing open for so long that its connection is closed if places are few.
  public func isUseless(at now: Instant) -> Bool {
    use == .nothingOpen && now - usedAt >= NodeLimits.nothingOpenTimeout
  }
}
