// The timers of one connection: when it ends, and when it sends PING.
import Wire

/// Decides when a connection times out. Does no I/O and reads no clock. The caller reports events as they happen, calls
/// `due` about twice a second, and does the action that it returns.
public struct ConnectionTimers: Sendable {
  /// The action that is due.
  public enum Due: Hashable, Sendable {
    /// The handshake took too long. Close the connection without GOODBYE.
    case handshakeTimeout
    /// The peer takes nothing. Close the connection for this reason, without GOODBYE: the peer would not take it
    /// either.
    case abandon(CloseCode, String)
    /// Send GOODBYE with this reason.
    case goodbye(CloseCode, String)
    /// GOODBYE had enough time. Close the connection.
    case close
    /// Send PING, unless an earlier one is unanswered.
    case ping
  }

  private enum Stage: Sendable {
    case handshake
    case established
    /// GOODBYE, or the answer to a preamble, waits to be sent.
    case ending
    /// GOODBYE has left. The other end may close until this time.
    case lingering(until: Instant)
  }

  /// A frame that has begun and is not complete.
  struct PartialFrame: Sendable {
    /// How many frames were complete when this one began. No other frame has the same number.
    let number: Int
    let begunAt: Instant
    var byteCount: Int

    /// When the frame is too slow, unless more of it comes before. Bytes of earlier frames do not count.
    var tooSlowAt: Instant {
      let allowed = Int64(byteCount) * 1_000_000_000 / Int64(ProtocolLimits.frameBytesPerSecondMin) + 1
      return begunAt + max(ProtocolLimits.frameProgressGrace, .nanoseconds(allowed))
    }
  }

  private let startedAt: Instant
  private var stage = Stage.handshake
  private var isTurnedAway = false

  /// When the latest byte came, or when the node read again after a pause of its own.
  public private(set) var lastReceivedAt: Instant
  /// The byte count of the latest `received`.
  private var lastReceivedByteCount = 0
  /// Nil between frames.
  private(set) var partialFrame: PartialFrame?

  /// When the system last took bytes of the outbox, or when the first byte entered an empty outbox.
  public private(set) var lastSentAt: Instant
  /// When the first byte last entered an empty outbox.
  private var queuedAt: Instant
  /// Whether a piece ever took long to leave. It stays true.
  public private(set) var isSlow = false

  /// Begins when the TCP connection is accepted or dialled.
  public init(at now: Instant) {
    (startedAt, lastReceivedAt, lastSentAt, queuedAt) = (now, now, now, now)
  }

  // MARK: Stages

  /// Notes that the handshake is done. A frame that began with the last bytes of the handshake is timed from now on.
  public mutating func established() {
    stage = .established
    partialFrame = nil
  }

  /// Notes that the connection has no place. It stays for a moment, until the node has sent it other peers.
  public mutating func turnedAway() { isTurnedAway = true }

  /// Notes that GOODBYE, or the answer to a preamble, is in the outbox. Nothing follows it.
  public mutating func ending() { stage = .ending }

  /// Notes that GOODBYE, or the answer to a preamble, has left. The connection reads on for a moment.
  public mutating func lingers(at now: Instant) { stage = .lingering(until: now + NodeLimits.lingerTimeout) }

  // MARK: Bytes from the other end

  /// Notes that bytes came.
  public mutating func received(_ byteCount: Int, at now: Instant) {
    lastReceivedAt = now
    lastReceivedByteCount = byteCount
    partialFrame?.byteCount += byteCount
  }

  /// Notes that all bytes that came are decoded.
  /// - `isMidFrame`: whether the start of a frame is left.
  /// - `completedFrames`: how many frames were complete since the start of the connection.
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

  /// Notes that the node reads again, after it had no memory for more. The peer is not blamed for the wait.
  public mutating func readsAgain(at now: Instant) {
    partialFrame = nil
    lastReceivedAt = now
  }

  // MARK: Bytes to the other end

  /// Notes that the first bytes entered an empty outbox.
  public mutating func queued(at now: Instant) { (lastSentAt, queuedAt) = (now, now) }

  /// Notes that the system took bytes of the outbox.
  public mutating func sent(at now: Instant) { lastSentAt = now }

  /// Returns true once: when bytes first take long to leave. Call it while bytes wait.
  public mutating func becomesSlow(at now: Instant) -> Bool {
    guard !isSlow, now - queuedAt >= NodeLimits.slowPieceTime else { return false }
    isSlow = true
    return true
  }

  // MARK: The time

  /// When the handshake has taken too long.
  public var handshakeEndsAt: Instant { startedAt + ProtocolLimits.handshakeTimeout }

  /// When an established connection counts as idle, if nothing comes before.
  public var idleAt: Instant { lastReceivedAt + ProtocolLimits.idleTimeout }

  /// Returns the action that is due; nil if there is none. It stays due until the caller has done it.
  /// - `isSending`: bytes wait in the outbox.
  /// - `isReading`: whether the node reads from the connection. If not, the node itself causes the silence.
  /// - `isInTheWay`: other connections need the place, and the peer does not use it.
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

  /// Returns whether a turned-away connection has kept its place for too long. Such places are few, so a peer that does
  /// not take its GOODBYE must not keep one.
  private func hasTakenPlaceTooLong(at now: Instant) -> Bool {
    isTurnedAway && now - startedAt >= NodeLimits.turnedAwayTimeout * 2
  }
}
