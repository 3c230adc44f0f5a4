// The phases of a connection, each with its own data.
import Content
import Transfer
import Wire

/// The phase of a connection. A connection never goes back to an earlier one.
enum ConnectionPhase {
  /// The system establishes the TCP connection.
  case connecting(PendingHandshake)
  case handshaking(PendingHandshake)
  case established(EstablishedPeer)
  /// GOODBYE, or the answer to a preamble, is the last in the outbox. The outbox is sent, and bytes that come are dropped.
  case finishing
  /// The last byte has left. Bytes that come are dropped until the other end closes.
  case lingering
  /// Nothing more is done with it.
  case closed
}

/// A handshake that is not done.
final class PendingHandshake {
  private var handshake: ChannelHandshake?

  init(_ handshake: consuming ChannelHandshake) { self.handshake = consume handshake }

  var isComplete: Bool {
    switch handshake {
    case .some(let handshake): handshake.isComplete
    case .none: false
    }
  }

  /// Takes in bytes of the other end. Returns how many it needed.
  func receive(_ bytes: RawSpan) throws(HandshakeError) -> Int { try handshake!.receive(bytes) }

  /// The other end has closed. Returns the error that this means; nil if it means no more than a close.
  func receiveEnd() -> HandshakeError? { handshake?.receiveEnd() ?? nil }

  /// Bytes for the other end.
  func takeOutbound() -> [UInt8] { handshake?.takeOutbound() ?? [] }

  /// The channel. Called once, when the handshake is complete.
  func finish() -> EstablishedChannel { handshake.take()!.finish() }
}

/// What a peer was sent of a content that it has open.
struct Upload {
  /// The content's path, or its name.
  let path: String
  /// When the peer opened it.
  let began: Instant
  var byteCount: UInt64 = 0
}

/// The other end of a connection after the handshake, and what both ends have agreed on.
final class EstablishedPeer {
  let id: PeerID
  /// Requests that the peer accepts unanswered.
  let requestsMax: Int
  /// The port at which it can be dialled: the one that was dialled, or the one that it has announced.
  let listenPort: UInt16?
  /// The zone in which it says that it is.
  let zone: ZoneName?
  var channel: EstablishedChannel
  /// Gives its messages their meaning.
  var driver: SessionDriver
  /// The files that the session has opened for it.
  var served: [FileHandle: ServedSource] = [:]
  /// What was sent of each of them.
  var uploads: [FileHandle: Upload] = [:]
  /// The file whose next piece waits to be sent, as the file's swarm knows it.
  var waitsFor: FileID?
  var standing: Standing
  /// No new pieces are promised. The connection ends when those that were asked for are sent.
  var isShuttingDown = false

  /// - `dialled`: the port that was dialled; nil for a connection that came in.
  init(
    _ established: consuming EstablishedChannel, dialled: UInt16?, meansSeveral: Bool, at now: Instant
  ) {
    let payload = established.remotePayload
    id = established.remote
    requestsMax = payload.requestsInFlightMax.map { Int($0) } ?? ProtocolLimits.requestsInFlightMax
    listenPort = dialled ?? payload.listenPort
    zone = payload.zone
    driver = SessionDriver(
      handshakeHash: established.handshakeHash, role: established.role, requestsMax: requestsMax)
    standing = Standing(meansSeveral: meansSeveral, at: now)
    channel = consume established
  }

  var isTurnedAway: Bool { standing.verdict == .turnedAway }
  /// Whether this node still has to send pages or pieces that the peer asked for.
  var isOwedUploads: Bool { driver.session.hasUploads }
  var hasHints: Bool { !driver.session.hints.isEmpty }
}
