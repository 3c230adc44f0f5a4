// The phases of a connection, each with its own data.
import Content
import Transfer
import Wire

/// The phase of a connection. A connection never returns to an earlier phase.
enum ConnectionPhase {
  /// The kernel establishes the TCP connection.
  case connecting(PendingHandshake)
  case handshaking(PendingHandshake)
  case established(EstablishedPeer)
  /// The outbox ends with GOODBYE, or with the answer to a preamble. It is sent, and received bytes are dropped.
  case finishing
  /// The last byte has been sent. Received bytes are dropped until the other end closes.
  case lingering
  /// The connection has ended.
  case closed
}

/// A handshake in progress.
final class PendingHandshake {
  private var handshake: ChannelHandshake?

  init(_ handshake: consuming ChannelHandshake) { self.handshake = consume handshake }

  var isComplete: Bool {
    switch handshake {
    case .some(let handshake): handshake.isComplete
    case .none: false
    }
  }

  /// Reads bytes from the other end. Returns how many it used.
  func receive(_ bytes: RawSpan) throws(HandshakeError) -> Int { try handshake!.receive(bytes) }

  /// Notes that the other end closed the connection. Returns the error that this implies; nil: none beyond the close
  /// itself.
  func receiveEnd() -> HandshakeError? { handshake?.receiveEnd() ?? nil }

  /// Returns and removes the bytes for the other end.
  func takeOutbound() -> [UInt8] { handshake?.takeOutbound() ?? [] }

  /// Returns the channel. Called once, when the handshake is complete.
  func finish() -> EstablishedChannel { handshake.take()!.finish() }
}

/// The upload of a content that a peer has open.
struct Upload {
  /// The content's path, or its name.
  let path: String
  /// When the peer opened it.
  let began: Instant
  var byteCount: UInt64 = 0
}

/// The other end of a connection after the handshake, and what both ends agreed on.
final class EstablishedPeer {
  let id: PeerID
  /// The most unanswered requests that the peer accepts.
  let requestsMax: Int
  /// The port at which the peer can be dialled: the one that this node dialled, or the one that the peer announced.
  let listenPort: UInt16?
  /// The zone that the peer announced.
  let zone: ZoneName?
  var channel: EstablishedChannel
  /// Interprets the peer's messages.
  var driver: SessionDriver
  /// The contents that the peer has open at this node.
  var served: [FileHandle: ServedSource] = [:]
  /// The uploads of these contents.
  var uploads: [FileHandle: Upload] = [:]
  /// The file whose swarm knows that its next piece for this peer waits.
  var waitsFor: FileID?
  var standing: Standing
  /// Whether the connection ends as soon as the pieces that were requested are sent.
  var isShuttingDown = false

  /// - `dialled`: the port that was dialled; nil for an incoming connection.
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
  /// Whether this node still has to send pages or pieces that the peer requested.
  var isOwedUploads: Bool { driver.session.hasUploads }
  var hasHints: Bool { !driver.session.hints.isEmpty }
}
