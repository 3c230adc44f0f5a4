// The bytes of a scripted peer, either on its own blocking thread or on the thread that also runs the other end.
import Posix
import Wire

/// A socket, and what to do while the peer sends and waits.
struct PeerWire {
  /// How many turns of the other end to wait for a byte to arrive or to be accepted.
  private static let turnsMax = 200

  let socket: BlockingSocket
  /// Lets the other end run if it shares this thread; then the peer never blocks. Nil: the peer has its own thread.
  let turn: (() -> Void)?
  /// Called after each send.
  let afterSend: () -> Void

  func send(_ bytes: [UInt8]) throws {
    defer { afterSend() }
    guard let turn else { return try socket.send(bytes) }
    var rest = bytes[...]
    for _ in 0..<PeerWire.turnsMax {
      rest = rest.dropFirst(try socket.sendUntilStuck(Array(rest), patienceMilliseconds: 0))
      if rest.isEmpty { return }
      turn()
    }
    throw SocketEnd.timedOut
  }

  func receive(exactly count: Int) throws -> [UInt8] {
    guard let turn else { return try socket.receive(exactly: count) }
    var bytes: [UInt8] = []
    while bytes.count < count {
      for _ in 0..<PeerWire.turnsMax where !socket.isReadable { turn() }
      guard socket.isReadable else { throw SocketEnd.timedOut }
      bytes += try socket.receive(upTo: count - bytes.count)
    }
    return bytes
  }

  func shakeHands(_ handshake: consuming ChannelHandshake) throws -> EstablishedChannel {
    let first = handshake.takeOutbound()
    if !first.isEmpty { try send(first) }
    while !handshake.isComplete {
      // Read one byte at a time, so that no byte of a record is read with the last message.
      let bytes = try receive(exactly: 1)
      do throws(HandshakeError) { _ = try handshake.receive(bytes.span.bytes) } catch {
        try? send(handshake.takeOutbound())
        throw PeerEnd.handshake(error)
      }
      let answer = handshake.takeOutbound()
      if !answer.isEmpty { try send(answer) }
    }
    return handshake.finish()
  }
}
