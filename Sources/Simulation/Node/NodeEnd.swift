// One end of a connection between two simulated nodes: its session, and the packets that are in transit.
import Content
import Transfer
import Wire

/// A frame in transit: encoded as on the wire, with the bytes of its leaves apart.
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

/// What has arrived from the other end.
struct Arrivals {
  private var decoder = FrameDecoder()
  /// Packets that are not read yet because all blocks are in use.
  var waiting: [Packet] = []
  /// The leaf bytes of the DATA that is being read. Nil if they are not wanted.
  var payload: [UInt8]?

  /// Reads a packet. Returns its message, or nil if its frame is cut short.
  mutating func read(_ packet: Packet) throws(WireError) -> Message? {
    var offset = 0
    let message = try decoder.next(packet.frame.span.bytes, at: &offset)
    if decoder.payloadBytesDue > 0 { decoder.tookPayload(min(packet.payload.count, decoder.payloadBytesDue)) }
    payload = packet.payload
    return message
  }
}

/// The packets in transit to the other end.
struct Departures {
  /// When the last packet arrives. A connection keeps the order of packets.
  private var lastDue = Instant.zero
  /// Bytes of pieces in transit.
  var pieceByteCount = 0
  /// For peers with such faults: the number of pieces sent, and a time before which no further piece is sent.
  var pieceCount = 0
  var pausedUntil = Instant.zero

  /// Returns when a packet arrives: at `arrival`, or with the packet before it if that comes later.
  mutating func due(_ arrival: Instant) -> Instant {
    lastDue = max(lastDue, arrival)
    return lastDue
  }
}

/// One end of a connection. The other end learns of its closing from what arrives there, a little later.
final class NodeEnd {
  /// A node as the other end of a connection sees it.
  struct Face {
    let node: SimulatedNode
    /// The number of the connection at that node.
    let id: ConnectionID
    let peerID: PeerID
    /// 16 bytes, as in `PeerAddress`.
    let ip: [UInt8]
    /// The port at which the node can be dialled. Nil if it does not listen.
    let port: UInt16?
  }

  let node: SimulatedNode
  /// The number of the connection at its own node.
  let id: ConnectionID
  /// The same number, for parts that know nothing of downloads.
  var token: ConnectionToken { ConnectionToken(rawValue: id.rawValue) }
  let peer: Face
  let group: AddressGroup
  /// Nil once the connection is gone on both sides.
  private(set) var other: NodeEnd?
  var driver: SessionDriver
  var arrivals = Arrivals()
  private(set) var isOpen = true

  // Serving.
  /// This node has no free slot: the peer only receives the addresses of other peers.
  var isTurnedAway = false
  var timers: ConnectionTimers
  /// When the node sent a PING for the admission.
  var probedAt: Instant?
  /// The handle with which the peer has the file open here.
  var served: FileHandle?
  /// Whether the connection waits for its turn to send a piece.
  var isQueued = false
  var departures = Departures()

  // Fetching.
  /// Whether this node's download uses the connection.
  var isFetching = false
  /// The handle with which this node's download has the file open at the peer, or has asked to open it.
  private(set) var fetched: FileHandle?
  /// The number of unanswered requests that the peer accepts.
  var requestsMax = ProtocolLimits.requestsInFlightMax
  /// Requests to the peer without a complete answer.
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

  /// Makes both ends of a connection whose handshake is complete.
  /// - Returns: the dialer's end.
  static func connect(_ dialer: Face, to listener: Face, hash: Digest) -> NodeEnd {
    let local = NodeEnd(dialer, listener, SessionDriver(handshakeHash: hash, role: .dialer))
    let remote = NodeEnd(listener, dialer, SessionDriver(handshakeHash: hash, role: .listener))
    (local.other, remote.other) = (remote, local)
    return local
  }

  /// Whether the peer dialled.
  var isInbound: Bool { id.isInbound }

  /// Opens the file at the peer.
  func open() { fetched = driver.session.open(node.file.target) }

  /// Gives the session a command for the file that this node's download has opened.
  func command(_ change: (inout PeerSession, FileHandle) -> Void) {
    if let fetched { change(&driver.session, fetched) }
  }

  /// Closes this end. Once both ends are closed, nothing refers to the connection any more.
  func close() {
    isOpen = false
    driver.end()
    asked = [:]
    arrivals.waiting = []
    if let other, !other.isOpen { (self.other, other.other) = (nil, nil) }
  }
}
