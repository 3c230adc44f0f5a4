// One connection in the simulation: both ends' sessions, and the packets between them.
import Content
import Transfer
import Wire

/// A frame on its way: encoded as on the wire, the leaves' bytes apart.
struct Packet {
  let frame: [UInt8]
  var payload: [UInt8] = []
}

/// Between a getter's process and a peer. The end of one side is not known to the other before it is told.
final class Connection {
  let id: ConnectionID
  let peer: ServingPeer
  let peerID: PeerID
  unowned let getter: GetterProcess

  // The getter's end.
  var fetching: SessionDriver
  var isOpenHere = true
  var timers: ConnectionTimers
  private(set) var decoder = FrameDecoder()
  /// Packets that arrived and are not read, while all blocks are in use.
  var inbox: [Packet] = []
  /// The leaves of the DATA that is being read; nil if they are of no use.
  var payload: [UInt8]?
  var lastArrival = Instant.zero

  // The peer's end.
  var serving: SessionDriver
  var isOpenThere = true
  private(set) var servingDecoder = FrameDecoder()
  var lastArrivalThere = Instant.zero
  /// DATA that was sent, for a peer that stops in the middle.
  var piecesSent = 0
  /// Until then it sends nothing.
  var pausedUntil = Instant.zero

  init(_ id: ConnectionID, to peer: ServingPeer, of getter: GetterProcess, file: SimulatedFile) {
    self.id = id
    self.peer = peer
    self.getter = getter
    peerID = peer.nextIdentity()
    let hash = Digest(Array("handshake".utf8) + [UInt8(peer.plan.number)] + Array(repeating: 0, count: 22))!
    fetching = SessionDriver(handshakeHash: hash, role: .dialer, target: file.target)
    serving = SessionDriver(handshakeHash: hash, role: .listener, target: nil)
    timers = ConnectionTimers(at: getter.world.time)
    timers.established()
  }

  static let pongByteCount = packet(.pong(0)).frame.count

  static func packet(_ message: Message, _ payload: [UInt8] = []) -> Packet {
    var frame: [UInt8] = []
    message.encode(into: &frame)
    return Packet(frame: frame, payload: payload)
  }

  /// The message of a packet that arrived at the getter; nil where it is none.
  func decode(_ packet: Packet) throws(WireError) -> Message? {
    var offset = 0
    let message = try decoder.next(packet.frame.span.bytes, at: &offset)
    if decoder.payloadBytesDue > 0 { decoder.tookPayload(min(packet.payload.count, decoder.payloadBytesDue)) }
    return message
  }

  /// The message of a packet that arrived at the peer.
  func decodeThere(_ packet: Packet) throws(WireError) -> Message? {
    var offset = 0
    return try servingDecoder.next(packet.frame.span.bytes, at: &offset)
  }
}
