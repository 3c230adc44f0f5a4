// The order in which a session is called. The node, the simulation and the fuzzers call sessions only through this
// driver.
import Content
import Wire

/// Drives the session of one connection. Does no I/O and reads no clock. The caller
///
/// 1. reports what happens: `receive`, `payloadEnded`, `fire`, `ping`, `left`, or a command of `session`;
/// 2. then takes `nextAction` until it returns nil, and does each action before it takes the next. It answers `admit`
///    at once, `lookUp` at once or later;
/// 3. then sends as much as the connection has room for: `nextHint` and, while the outbox is empty, `nextUpload`,
///    followed by `sent` or `putBack`;
/// 4. then reports with `note(isWaiting:)` whether anything still waits to be sent.
///
/// After DATA all bytes of its leaves come, then `payloadEnded`. Meanwhile the caller may give commands, but no message
/// comes. After `.close` or `end` there are no actions, and no call has an effect.
public struct SessionDriver: Sendable {
  /// Its public functions are commands and questions. Events and answers go to the driver.
  public var session: PeerSession

  /// Whether bytes of DATA's leaves are still arriving.
  private var isPayloadDue = false
  /// Bytes of the outbox up to the end of the PONG in it; nil if no PONG waits.
  private var bytesBeforePong: Int?
  /// Whether a PONG is due. A second PING would break the protocol.
  private var isPingUnanswered = false
  /// The chunks to check again if the peer says that it was sent wrong data.
  private var sentChunks = SentChunks()
  /// Whether the peer said so.
  private var hasSentBadData = false
  private var pace = UploadPace()
  private var rehashBudget = RehashBudget()

  /// Begins the session of a connection whose handshake is done.
  /// - `role`: this node's role in the handshake whose hash this is.
  /// - `requestsMax`: how many unanswered requests the peer accepts.
  public init(
    handshakeHash: Digest, role: ChannelRole, requestsMax: Int = ProtocolLimits.requestsInFlightMax
  ) {
    session = PeerSession(handshakeHash: handshakeHash, role: role, requestsMax: requestsMax)
  }

  // MARK: Events

  /// Takes a message of the peer.
  public mutating func receive(_ message: Message, at now: Instant) {
    precondition(!isPayloadDue || session.isEnded, "a message in the middle of DATA")
    switch message {
    case .request: session.uploadDelay = pace.retryAfter(waiting: session.waitingByteCount, at: now)
    case .pong: isPingUnanswered = false
    case .data: isPayloadDue = true
    default: break
    }
    session.handle(message, at: now)
  }

  /// Reports that all bytes of DATA's leaves have come. Once the actions are done, the caller may drop these bytes,
  /// unless `verify` was one of the actions.
  public mutating func payloadEnded() {
    isPayloadDue = false
    session.payloadEnded()
  }

  /// Does what is due by now. False if nothing is due.
  @discardableResult
  public mutating func fire(at now: Instant) -> Bool {
    guard !session.isEnded, let deadline = session.deadline, deadline <= now else { return false }
    session.timeFired(at: now)
    return true
  }

  /// Sends PING. False if the answer to an earlier one is still due.
  @discardableResult
  public mutating func ping(at now: Instant) -> Bool {
    guard !session.isEnded, !isPingUnanswered else { return false }
    isPingUnanswered = true
    session.send(.ping(UInt64(bitPattern: now.nanoseconds)))
    return true
  }

  /// Ends the session for a reason outside it. The requests of both sides are dropped.
  public mutating func end() { session.end() }

  // MARK: Actions

  /// Returns the next action, in order; nil if none is left until the next event.
  public mutating func nextAction() -> PeerSessionAction? {
    let action = session.nextAction()
    if case .close(.remote(.badData, _))? = action { hasSentBadData = true }
    return action
  }

  /// Answers `lookUp`. True if the file is now open: the caller may announce other peers that share it.
  @discardableResult
  public mutating func answer(_ open: Open, _ answer: OpenAnswer, at now: Instant) -> Bool {
    session.answer(open, answer, at: now)
  }

  /// Whether the node sends the leaves of a request.
  public enum RequestAnswer: Sendable {
    case yes
    /// Some of the leaves are not here.
    case notHere
    /// Other peers go first.
    case notNow
  }

  /// Answers `admit`. If the handle is not open, any answer will do.
  public mutating func admit(_ request: ChunkRequest, _ answer: RequestAnswer) {
    switch answer {
    case .yes: session.admit(request, isHeld: true)
    case .notHere: session.admit(request, isHeld: false)
    case .notNow:
      session.admit(request, isHeld: false, retryAfterMilliseconds: UploadChoking.retryAfterMilliseconds)
    }
  }

  /// Returns whether the node hashes a whole chunk again to answer a request. If not, the answer to `admit` is `notNow`.
  /// - `byteCount`: bytes of the chunk; 0 if its leaf hashes are known.
  public mutating func mayHash(_ byteCount: Int, at now: Instant) -> Bool { rehashBudget.take(byteCount, at: now) }

  // MARK: Sending

  /// Reports that a message of `send` is in the outbox.
  /// - `outboxByteCount`: bytes of the outbox up to the end of the message; 0 if the message has left.
  public mutating func queued(_ message: Message, outboxByteCount: Int) {
    guard case .pong = message else { return }
    bytesBeforePong = outboxByteCount
    left(0)
  }

  /// Reports that bytes of the outbox have left.
  public mutating func left(_ byteCount: Int) {
    guard let before = bytesBeforePong else { return }
    bytesBeforePong = before > byteCount ? before - byteCount : nil
    if bytesBeforePong == nil { session.pongLeft() }
  }

  /// Returns the next hint if the outbox has room for one. Hints that wait are merged with later ones.
  /// - `outboxByteCount`: bytes in the outbox.
  public mutating func nextHint(outboxByteCount: Int) -> Message? {
    outboxByteCount <= NodeLimits.hintedOutboxBytesMax ? session.nextHint() : nil
  }

  /// Returns the next page or piece to send; nil if the peer asks for nothing.
  public mutating func nextUpload() -> Upload? { session.nextUpload() }

  /// Puts back an upload that `nextUpload` returned and that was not sent. It is the next one again.
  public mutating func putBack(_ next: Upload) { session.putBack(next) }

  /// Reports that a piece from `nextUpload` was sent. True if no more of its chunk waits: the promise is settled.
  /// - `byteCount`: bytes of its leaves.
  public mutating func sent(_ piece: UploadPiece, byteCount: Int, at now: Instant) -> Bool {
    pace.sent(byteCount, at: now)
    rehashBudget.sent(byteCount)
    sentChunks.note(piece.chunk, of: piece.handle)
    return !session.awaits(piece.chunk, of: piece.handle)
  }

  /// Reports whether uploads, or bytes in the outbox, wait to be sent. Call it after each event: the pace measures only
  /// time in which something waits.
  public mutating func note(isWaiting: Bool, at now: Instant) { pace.note(isWaiting: isWaiting, at: now) }

  /// The chunks that the peer may mean if it ended the connection because of bad data, the newest first. Else empty.
  public var chunksToRecheck: [(handle: FileHandle, chunk: ChunkIndex)] {
    hasSentBadData ? sentChunks.newestFirst : []
  }
}

extension PageAnswer {
  /// Makes the answer to a PAGE_GET.
  public init(_ page: HashPage, of handle: FileHandle) {
    self.init(handle: handle, page: page.index.rawValue, chunkHashes: page.chunkHashes, uncles: page.uncles)
  }
}
