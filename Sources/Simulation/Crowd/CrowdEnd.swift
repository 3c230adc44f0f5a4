// One end of a connection between two nodes of a crowd: its session, and what is on its way to the other end.
import Content
import Transfer
import Wire

/// The other end learns of the end of this one by what arrives there, a little later.
final class CrowdEnd {
  unowned let node: CrowdNode
  /// At the other end.
  unowned let peer: CrowdNode
  /// Nil once the connection is gone on both sides.
  private(set) var other: CrowdEnd?
  /// Among the connections of its own node.
  let id: ConnectionID
  var driver: SessionDriver
  var decoder = FrameDecoder()
  var isOpen = true
  /// The peer is only told of others, since this node has connections enough.
  var isTurnedAway = false
  /// When the node asked the peer for a sign of life, for the admission.
  var probedAt: Instant?
  /// The handle by which the peer has the file open here.
  var served: FileHandle?
  /// Whether the download here uses the connection.
  var isFetching = false
  /// Waits for its turn to send a piece.
  var isQueued = false
  /// When the last of what was sent is there: a connection keeps the order.
  var lastDue = Instant.zero
  /// Bytes of pieces that are sent and not there yet.
  var bytesUnderWay = 0
  /// Asked of the peer, and not answered to the end.
  var asked: [RequestID: ChunkIndex] = [:]

  private init(
    _ id: ConnectionID, of node: CrowdNode, to peer: CrowdNode, _ hash: Digest, _ role: ChannelRole,
    fetching: FetchTarget?
  ) {
    self.id = id
    self.node = node
    self.peer = peer
    driver = SessionDriver(handshakeHash: hash, role: role, target: fetching)
  }

  /// The handshake is done.
  static func connect(
    _ dialer: CrowdNode, _ dialerID: ConnectionID, _ listener: CrowdNode, _ listenerID: ConnectionID
  ) -> CrowdEnd {
    var bytes: [UInt8] = Array(repeating: 0, count: Digest.byteCount)
    for (place, number) in [UInt64(dialer.number), dialerID.rawValue, UInt64(listener.number)].enumerated() {
      for i in 0..<8 { bytes[8 * place + i] = UInt8(truncatingIfNeeded: number >> UInt64(8 * i)) }
    }
    let hash = Digest(bytes.span.bytes, at: 0)
    let here = CrowdEnd(dialerID, of: dialer, to: listener, hash, .dialer, fetching: dialer.crowd.file.target)
    let there = CrowdEnd(listenerID, of: listener, to: dialer, hash, .listener, fetching: nil)
    (here.other, there.other) = (there, here)
    return here
  }

  /// Nothing refers to the connection any more.
  func forget() {
    isOpen = false
    driver.end()
    asked = [:]
    if let other, !other.isOpen { (self.other, other.other) = (nil, nil) }
  }
}
