// The order in which a session is called. The node, the simulation and the fuzzers call it through here alone.
import Content
import Wire

/// Drives the session of one connection. Does no I/O and reads no clock. The caller
///
/// 1. reports what happens: `receive`, `payloadEnded`, `fire`, `ping`, `left`, or a command of `session`;
/// 2. then takes `nextAction` until there is none, and does each action before it takes the next. `admit` is answered at
///    once, `lookUp` at once or later;
/// 3. then sends what there is room for: `nextHint`, and while nothing waits to be sent `nextUpload`, which `sent` or
///    `putBack` follows;
/// 4. reports by `note(isWaiting:)` whether anything still waits to be sent.
///
/// After DATA all bytes of its leaves come, then `payloadEnded`. Commands may be given meanwhile, but no message comes.
/// After `.close` or `end` there are no actions, and whatever is called has no effect.
public struct SessionDriver: Sendable {
  /// Its public face are commands and questions. Events and answers are reported to the driver.
  public var session: PeerSession

  /// Bytes of DATA's leaves are on their way.
  private var isPayloadDue = false
  /// Bytes that must leave until the PONG among them has left; nil while none waits.
  private var bytesBeforePong: Int?
  /// PONG is due, and a second PING would break the protocol.
  private var isPingUnanswered = false
  /// Looked at again if the peer says that it was sent wrong data.
  private var sentChunks = SentChunks()
  /// The peer says so.
  private var hasSentBadData = false
  private var pace = UploadPace()

  /// The handshake is done.
  /// - `role`: ours in the handshake whose hash this is.
  /// - `requestsMax`: requests that the peer accepts unanswered.
  public init(
    handshakeHash: Digest, role: ChannelRole, requestsMax: Int = ProtocolLimits.requestsInFlightMax
  ) {
    session = PeerSession(handshakeHash: handshakeHash, role: role, requestsMax: requestsMax)
  }

  // MARK: Events

  /// A message came.
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

  /// The last byte of DATA's leaves is here. Once the actions are done, these bytes are of no use, unless `verify`
  /// was one of them.
  public mutating func payloadEnded() {
    isPayloadDue = false
    session.payloadEnded()
  }

  /// Time has passed: does what is due. False if nothing is.
  @discardableResult
  public mutating func fire(at now: Instant) -> Bool {
    guard !session.isEnded, let deadline = session.deadline, deadline <= now else { return false }
    session.timeFired(at: now)
    return true
  }

  /// Asks for a sign of life. False if the answer to an earlier PING is still due.
  @discardableResult
  public mutating func ping(at now: Instant) -> Bool {
    guard !session.isEnded, !isPingUnanswered else { return false }
    isPingUnanswered = true
    session.send(.ping(UInt64(bitPattern: now.nanoseconds)))
    return true
  }

  /// The connection ends for another reason: what either side asked for is void.
  public mutating func end() { session.end() }

  // MARK: Actions

  /// The next thing to do, in order; nil if nothing is left until the next event.
  public mutating func nextAction() -> PeerSessionAction? {
    let action = session.nextAction()
    if case .close(.remote(.badData, _))? = action { hasSentBadData = true }
    return action
  }

  /// The answer to `lookUp`. True if the file is now open: the peer may be told about others that share it.
  @discardableResult
  public mutating func answer(_ open: Open, _ answer: OpenAnswer, at now: Instant) -> Bool {
    session.answer(open, answer, at: now)
  }

  /// Whether the leaves of a request are sent.
  public enum RequestAnswer: Sendable {
    case yes
    /// Not all of them are here.
    case notHere
    /// Others are sent theirs first.
    case notNow
  }

  /// The answer to `admit`. For a handle that is not open it may be any.
  public mutating func admit(_ request: ChunkRequest, _ answer: RequestAnswer) {
    switch answer {
    case .yes: session.admit(request, isHeld: true)
    case .notHere: session.admit(request, isHeld: false)
    case .notNow:
      session.admit(request, isHeld: false, retryAfterMilliseconds: UploadChoking.retryAfterMilliseconds)
    }
  }

  // MARK: Sending

  /// A message of `send` waits to be sent.
  /// - `outboxByteCount`: bytes that wait, up to the end of the message; 0 if it has left.
  public mutating func queued(_ message: Message, outboxByteCount: Int) {
    guard case .pong = message else { return }
    bytesBeforePong = outboxByteCount
    left(0)
  }

  /// So many of the bytes that waited have left.
  public mutating func left(_ byteCount: Int) {
    guard let before = bytesBeforePong else { return }
    bytesBeforePong = before > byteCount ? before - byteCount : nil
    if bytesBeforePong == nil { session.pongLeft() }
  }

  /// The next hint, if there is room for it. Hints that stay are merged with those that come.
  /// - `outboxByteCount`: bytes that wait to be sent.
  public mutating func nextHint(outboxByteCount: Int) -> Message? {
    outboxByteCount <= NodeLimits.hintedOutboxBytesMax ? session.nextHint() : nil
  }

  /// The next page or piece to send; nil if nothing is asked for.
  public mutating func nextUpload() -> Upload? { session.nextUpload() }

  /// An upload that `nextUpload` gave was not sent: it is the next one again.
  public mutating func putBack(_ next: Upload) { session.putBack(next) }

  /// A piece that `nextUpload` gave was sent. True if nothing more of its chunk waits: its promise is settled.
  /// - `byteCount`: bytes of its leaves.
  public mutating func sent(_ piece: UploadPiece, byteCount: Int, at now: Instant) -> Bool {
    pace.sent(byteCount, at: now)
    sentChunks.note(piece.chunk, of: piece.handle)
    return !session.awaits(piece.chunk, of: piece.handle)
  }

  /// Reports after each event whether uploads, or bytes in the outbox, wait to be sent: the time counts against the pace.
  public mutating func note(isWaiting: Bool, at now: Instant) { pace.note(isWaiting: isWaiting, at: now) }

  /// If the peer ended the connection because of bad data, the chunks that it may mean, the newest first.
  public var chunksToRecheck: [(handle: FileHandle, chunk: ChunkIndex)] {
    hasSentBadData ? sentChunks.newestFirst : []
  }
}

extension PageAnswer {
  /// The answer to a PAGE_GET.
  public init(_ page: HashPage, of handle: FileHandle) {
    self.init(handle: handle, page: page.index.rawValue, chunkHashes: page.chunkHashes, uncles: page.uncles)
  }
}
