// The handshake of both ends with messages 1 to 3 from a stranger, in any pieces. The messages are raw bytes, or
// genuine ones with some bits changed.
import Sodium

@testable import Wire

enum Handshakes {
  static let target = Target("handshake", seeds: seeds, run)

  private static let ways: [(suite: CipherSuite, swarm: SwarmKey?)] = [
    (.chaChaPoly, nil), (.chaChaPoly, swarmKey(5)), (CipherSuite.available[0], nil),
    (CipherSuite.available[0], swarmKey(5)),
  ]
  private static let dialerIdentity = StaticIdentity(secret: key(1))
  private static let listenerIdentity = StaticIdentity(secret: key(2))
  /// By way: the messages that the two ends send each other.
  private static let genuine: [[[UInt8]]] = ways.indices.map { way in
    var one = dialer(way)
    var two = listener(way)
    var messages: [[UInt8]] = []
    messages.append(one.takeOutbound())
    two.take(messages[0])
    messages.append(two.takeOutbound())
    one.take(messages[1])
    messages.append(one.takeOutbound())
    two.take(messages[2])
    require(one.isComplete && two.isComplete, "two honest ends finish")
    return messages
  }

  private static func key(_ fill: UInt8) -> SecretKey {
    SecretKey(copying: [UInt8](repeating: fill, count: 32).span.bytes)
  }

  private static func swarmKey(_ fill: UInt8) -> SwarmKey {
    do throws(SwarmKeyFault) { return try SwarmKey(key(fill)) } catch { preconditionFailure("\(error)") }
  }

  private static func dialer(_ way: Int, pinned: PeerID? = nil) -> ChannelHandshake {
    ChannelHandshake(
      dialing: dialerIdentity, suite: ways[way].suite, swarm: ways[way].swarm, pinned: pinned,
      payload: HandshakePayload(agent: "dialer"), ephemeral: key(3))
  }

  private static func listener(_ way: Int) -> ChannelHandshake {
    ChannelHandshake(
      listening: listenerIdentity, swarm: ways[way].swarm,
      payload: HandshakePayload(listenPort: 9800, requestsInFlightMax: 64), ephemeral: key(4))
  }

  /// Byte 0 selects the message, the way, and raw or changed bytes. Byte 1 selects the pieces.
  private static func seeds(_ vectors: Vectors) -> [[UInt8]] {
    var seeds = vectors.examples("invalid/preamble").map { [0, 7] + $0 }
    for message in vectors.examples("invalid/handshake-message1") {
      seeds.append([0, 3] + genuine[0][0][..<16] + message)
    }
    for way in ways.indices {
      for stage in 0..<3 {
        seeds.append([UInt8(stage | way << 2 | 0x80), 0])
        seeds.append([UInt8(stage | way << 2 | 0x80), 5, 20, 1])
        seeds.append([UInt8(stage | way << 2), 0] + genuine[way][stage])
      }
    }
    return seeds
  }

  private static func run(_ bytes: [UInt8]) {
    var input = Input(bytes)
    let kind = input.u8()
    let (stage, way) = (Int(kind & 3), Int(kind >> 2 & 3))
    guard stage < 3 else { return }
    let pieceSize = Int(input.u8()) + 1
    let good = genuine[way][stage]
    var message = good
    if kind & 0x80 == 0 {
      message = input.rest()
    } else {
      while !input.isAtEnd { message[Int(input.u8()) % message.count] ^= input.u8() }
    }
    let isGenuine = message == good
    switch stage {
    case 0:
      let isPrivate = way & 1 == 1
      receive(message, by: listener(way), pieceSize, isPrivate: isPrivate) { (error, isComplete, answer) in
        require(!isComplete, "a handshake takes three messages")
        if isGenuine { require(error == nil && !answer.isEmpty, "the genuine message 1 is answered") }
        if isPrivate && !message.starts(with: good) { require(answer.isEmpty, "only members are answered") }
      }
    case 1:
      receive(message, by: dialer(way), pieceSize, isPrivate: way & 1 == 1) { (error, isComplete, answer) in
        require(isComplete == message.starts(with: good), "a dialer takes the genuine message 2 and no other")
      }
    default:
      var end = listener(way)
      end.take(genuine[way][0])
      receive(message, by: end, pieceSize, isPrivate: way & 1 == 1) { (error, isComplete, answer) in
        require(isComplete == message.starts(with: good), "a listener takes the genuine message 3 and no other")
      }
    }
  }

  private static func receive(
    _ message: [UInt8], by end: consuming ChannelHandshake, _ pieceSize: Int, isPrivate: Bool,
    then check: (HandshakeError?, Bool, [UInt8]) -> Void
  ) {
    _ = end.takeOutbound()
    var rest = message[...]
    var failure: HandshakeError?
    do throws(HandshakeError) {
      while !rest.isEmpty && !end.isComplete {
        let piece = Array(rest.prefix(pieceSize))
        let taken = try end.receive(piece.span.bytes)
        require(taken <= piece.count && (taken > 0 || end.isComplete), "a handshake takes what is there")
        rest = rest.dropFirst(taken)
      }
    } catch {
      failure = error
    }
    let answer = end.takeOutbound()
    require(answer.count <= 2 + ChannelHandshake.messageByteCountMax, "an answer is one message")
    if failure != nil {
      require(!end.isComplete, "what has failed is not complete")
      require(!isPrivate || answer.isEmpty, "a private end says nothing to a stranger")
      require(end.receiveEnd() == failure, "the first failure is the reason")
      var isThrown = false
      do throws(HandshakeError) { _ = try end.receive([UInt8](repeating: 0, count: 4).span.bytes) } catch {
        isThrown = true
      }
      require(isThrown, "after a failure nothing is taken")
    }
    check(failure, end.isComplete, answer)
    if end.isComplete {
      let channel = end.finish()
      require(channel.remote != PeerID(digest: .zero), "a channel has a peer")
    }
  }
}

extension ChannelHandshake {
  /// Takes bytes that an honest end has sent.
  fileprivate mutating func take(_ bytes: [UInt8]) { _ = try? receive(bytes.span.bytes) }
}
