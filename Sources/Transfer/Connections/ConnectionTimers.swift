// The timers of one connection: when it ends, and when it sends PING.
import Wire

/// Decides by the time when a connection ends. Does no I/O and reads no clock. The caller reports events as they happen,
/// asks `due` about twice a second, and does what it says.
public struct ConnectionTimers: Sendable {
  /// The action that is due.
  public enum Due: Hashable, Sendable {
    /// The handshake is not done in time: the connection closes without GOODBYE.
    case handshakeTimeout
    /// The peer takes nothing: the connection closes for this reason, without a GOODBYE that the peer would not take either.
    case abandon(CloseCode, String)
    /// GOODBYE with this reason is sent.
    case goodbye(CloseCode, String)
    /// GOODBYE had its time: the connection closes.
    case close
    /// PING is sent, unless an earlier one is unanswered.
    case ping
  }

  private enum Stage: Sendable {
    case handshake
    case established
    /// GOODBYE, or the answer to a preamble, waits to be sent.
    case ending
    /// It has left. The other end may close until then.
    case lingering(until: Instant)
  }

  /// A frame that has begun and is not complete.
  struct PartialFrame: Sendable {
    /// The frames that were complete when it began: no other frame has the same number.
    let number: Int
    let begunAt: Instant
    var byteCount: Int

    /// From then on it is too slow, unless more of it comes. Bytes of earlier frames do not count.
    var tooSlowAt: Instant {
      let allowed = Int64(byteCount) * 1_000_000_000 / Int64(ProtocolLimits.frameBytesPerSecondMin) + 1
      return begunAt + max(ProtocolLimits.frameProgressGrace, .nanoseconds(allowed))
    }
  }

  private let startedAt: Instant
  private var stage = Stage.handshake
  private var isTurnedAway = false

  /// When the latest byte came; later if the node itself has kept the connection from reading.
  public private(set) var lastReceivedAt: Instant
  /// Of the latest `received`.
  private var lastReceivedByteCount = 0
  /// Nil between frames.
  private(set) var partialFrame: PartialFrame?

  /// When the system last took bytes of the outbox, or when the first byte came into an empty one.
  public private(set) var lastSentAt: Instant
  /// When the first byte came into the outbox, which was empty.
  private var queuedAt: Instant
  /// A piece took long to leave. It stays so.
  public private(set) var isSlow = false

  /// The TCP connection is accepted, or is being established.
  public init(at now: Instant) {
    (startedAt, lastReceivedAt, lastSentAt, queuedAt) = (now, now, now, now)
  }

  // MARK: How far it is

  /// The handshake is done. The time of a frame that began with the handshake's last bytes starts now.
  public mutating func established() {
    stage = .established
    partialFrame = nil
  }

  /// The connection has no place and is kept for a moment, to hear of other peers.
  public mutating func turnedAway() { isTurnedAway = true }

  /// GOODBYE, or the answer to a preamble, waits to be sent. Nothing follows it.
  public mutating func ending() { stage = .ending }

  /// It has left. The connection reads on for a moment.
  public mutating func lingers(at now: Instant) { stage = .lingering(until: now + NodeLimits.lingerTimeout) }

  // MARK: Bytes from the other end

  /// So many bytes came.
  public mutating func received(_ byteCount: Int, at now: Instant) {
    lastReceivedAt = now
    lastReceivedByteCount = byteCount
    partialFrame?.byteCount += byteCount
  }

  /// Everything that came is read.
  /// - `isMidFrame`: what is left is the start of a frame.
  /// - `completedFrames`: frames that were complete since the start of the connection.
  public mutating func read(isMidFrame: Bool, completedFrames: Int, at now: Instant) {
    guard isMidFrame else {
      partialFrame = nil
      return
    }
    guard partialFrame?.number != completedFrames else { return }
    partialFrame = PartialFrame(
      number: completedFrames, begunAt: now,
      byteCount: min(lastReceivedByteCount, ProtocolLimits.dataFrameLengthMax))
  }

  /// The node reads again after it had no memory for more: the wait was not the peer's.
  public mutating func readsAgain(at now: Instant) {
    partialFrame = nil
    lastReceivedAt = now
  }

  // MARK: Bytes to the other end

  /// The first bytes came into an empty outbox.
  public mutating func queued(at now: Instant) { (lastSentAt, queuedAt) = (now, now) }

  /// The system took bytes of the outbox.
  public mutating func sent(at now: Instant) { lastSentAt = now }

  /// Called while bytes wait. True once: when they first take long to leave.
  public mutating func becomesSlow(at now: Instant) -> Bool {
    guard !isSlow, now - queuedAt >= NodeLimits.slowPieceTime else { return false }
    isSlow = true
    return true
  }

  // MARK: The time

  /// When the handshake has taken too long.
  public var handshakeEndsAt: Instant { startedAt + ProtocolLimits.handshakeTimeout }

  /// When an established connection is idle if nothing comes before.
  public var idleAt: Instant { lastReceivedAt + ProtocolLimits.idleTimeout }

  /// The action that is due; nil if there is none. It stays due until the caller has done it.
  /// - `isSending`: bytes wait in the outbox.
  /// - `isReading`: the node reads what comes; else the silence is its own doing.
  /// - `isInTheWay`: others need the place, and the peer makes no use of it.
  public func due(isSending: Bool, isReading: Bool, isInTheWay: Bool, at now: Instant) -> Due? {
    let isStalled = isSending && now - lastSentAt >= ProtocolLimits.stalledSendTimeout
    switch stage {
    case .handshake: return now >= handshakeEndsAt ? .handshakeTimeout : nil
    case .established:
      if isStalled { return .abandon(.tooSlow, "it took nothing for \(ProtocolLimits.stalledSendTimeout)") }
      return isReading ? dueOfPeer(isInTheWay: isInTheWay, at: now) : nil
    case .ending: return isStalled || hasTakenPlaceTooLong(at: now) ? .close : nil
    case .lingering(let until): return isStalled || now >= until || hasTakenPlaceTooLong(at: now) ? .close : nil
    }
  }

  private func dueOfPeer(isInTheWay: Bool, at now: Instant) -> Due? {
    if isTurnedAway, now - startedAt >= NodeLimits.turnedAwayTimeout { return .goodbye(.tooManyConnections, "") }
    if isInTheWay { return .goodbye(.tooManyConnections, "nothing is open") }
    if let partialFrame, now >= partialFrame.tooSlowAt { return .goodbye(.tooSlow, "a frame came too slowly") }
    if now >= idleAt { return .goodbye(.idle, "") }
    return now - lastReceivedAt >= ProtocolLimits.pingAfter ? .ping : nil
  }

  /// There are few places for connections that are turned away: one that does not take its GOODBYE keeps none.
  private func hasTakenPlaceTooLong(at now: Instant) -> Bool {
    isTurnedAway && now - startedAt >= NodeLimits.turnedAwayTimeout * 2
  }
}
