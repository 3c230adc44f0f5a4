// One end of a connection between two simulated nodes: its session, and what is on its way to the other end.
import Content
import Transfer
import Wire

/// A frame on its way: encoded as on the wire, with the bytes of its leaves apart.
struct Packet {
  let frame: [UInt8]
  let payload: [UInt8]

  var byteCount: Int { frame.count + payload.count }
  static let pongByteCount = Packet(.pong(0)).byteCount

  init(_ message: Message, _ payload: [UInt8] = []) {
    var frame: [UInt8] = []
    message.encode(into: &frame)
    self.frame = frame
    self.payload = payload
  }
}

/// What has come from the other end.
struct Arrivals {
  private var decoder = FrameDecoder()
  /// Packets that are not read, while all blocks are in use.
  var waiting: [Packet] = []
  /// The bytes of the DATA that is being read; nil if they are not wanted.
  var payload: [UInt8]?

  /// Reads a packet. Returns its message, nil if its frame is cut short.
  mutating func read(_ packet: Packet) throws(WireError) -> Message? {
    var offset = 0
    let message = try decoder.next(packet.frame.span.bytes, at: &offset)
    if decoder.payloadBytesDue > 0 { decoder.tookPayload(min(packet.payload.count, decoder.payloadBytesDue)) }
    payload = packet.payload
    return message
  }
}

/// What is on its way to the other end.
struct Departures {
  /// When the last packet is there: a connection keeps the order.
  private var lastDue = Instant.zero
  /// Bytes of pieces that are sent and not there yet.
  var pieceByteCount = 0
  /// Pieces that were sent, and a time until which none follows, for peers with such faults.
  var pieceCount = 0
  var pausedUntil = Instant.zero

  /// When a packet is there that would arrive at a time if no other one was before it.
  mutating func due(_ arrival: Instant) -> Instant {
    lastDue = max(lastDue, arrival)
    return lastDue
  }
}

/// The other end learns of the end of this one by what arrives there, a little later.
final class NodeEnd {
  /// A node as the other end of a connection sees it.
  struct Face {
    let node: SimulatedNode
    /// The connection, among those of the node.
    let id: ConnectionID
    let peerID: PeerID
    /// 16 bytes, as in `PeerAddress`.
    let ip: [UInt8]
    /// Where the node can be dialled; nil: nowhere.
    let port: UInt16?
  }

  let node: SimulatedNode
  /// Among the connections of its own node.
  let id: ConnectionID
  /// The same name, for parts that know no download.
  var token: ConnectionToken { ConnectionToken(rawValue: id.rawValue) }
  let peer: Face
  let group: AddressGroup
  /// Nil once the connection is gone on both sides.
  private(set) var other: NodeEnd?
  var driver: SessionDriver
  var arrivals = Arrivals()
  private(set) var isOpen = true

  // Serving.
  /// The peer only hears of other peers, since this node has connections enough.
  var isTurnedAway = false
  var timers: ConnectionTimers
  /// When the node asked the peer for a sign of life, for the admission.
  var probedAt: Instant?
  /// The handle by which the peer has the file open here.
  var served: FileHandle?
  /// Waits for its turn to send a piece.
  var isQueued = false
  var departures = Departures()

  // Fetching.
  /// Whether the download here uses the connection.
  var isFetching = false
  /// The handle by which the download here has the file open at the peer, or asks for it.
  private(set) var fetched: FileHandle?
  /// Unanswered requests that the peer accepts.
  var requestsMax = ProtocolLimits.requestsInFlightMax
  /// Requests to the peer that are not answered to the end.
  var asked: [RequestID: ChunkIndex] = [:]

  private init(_ own: Face, _ peer: Face, _ driver: SessionDriver) {
    timers = ConnectionTimers(at: own.node.world.time)
    timers.established()
    node = own.node
    id = own.id
    self.peer = peer
    group = AddressGroup(ip: peer.ip)
    self.driver = driver
  }

  /// The handshake is done.
  /// - Returns: the dialer's end.
  static func connect(_ dialer: Face, to listener: Face, hash: Digest) -> NodeEnd {
    let local = NodeEnd(dialer, listener, SessionDriver(handshakeHash: hash, role: .dialer))
    let remote = NodeEnd(listener, dialer, SessionDriver(handshakeHash: hash, role: .listener))
    (local.other, remote.other) = (remote, local)
    return local
  }

  /// The peer dialled.
  var isInbound: Bool { id.isInbound }

  /// Opens the file at the peer.
  func open() { fetched = driver.session.open(node.file.target) }

  /// Gives the session a command for the file that the download here has opened.
  func command(_ change: (inout PeerSession, FileHandle) -> Void) {
    if let fetched { change(&driver.session, fetched) }
  }

  /// The end is over. Once both are, nothing refers to the connection any more.
  func close() {
    isOpen = false
    driver.end()
    asked = [:]
    arrivals.waiting = []
    if let other, !other.isOpen { (self.other, other.other) = (nil, nil) }
  }
}
