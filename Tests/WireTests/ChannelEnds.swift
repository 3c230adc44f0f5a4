// Both ends of a channel in one process. A loop carries the bytes between them.
import Sodium

@testable import Wire

func secretKey(_ bytes: [UInt8]) -> SecretKey { SecretKey(copying: bytes.span.bytes) }

func secretKey(_ fill: UInt8) -> SecretKey { secretKey([UInt8](repeating: fill, count: 32)) }

/// The keys of tests are never zero.
func swarmKey(_ key: consuming SecretKey) -> SwarmKey {
  do throws(SwarmKeyFault) { return try SwarmKey(key) } catch { preconditionFailure("\(error)") }
}

/// A way to set up a channel.
struct ChannelKind: Sendable, CustomStringConvertible {
  let suite: CipherSuite
  let isPrivate: Bool

  static let all = CipherSuite.available.flatMap { suite in
    [false, true].map { ChannelKind(suite: suite, isPrivate: $0) }
  }

  var description: String { "\(suite.name) \(isPrivate ? "private" : "public")" }
  var swarm: SwarmKey? { isPrivate ? swarmKey(secretKey(0x55)) : nil }
}

let dialerIdentity = StaticIdentity(secret: secretKey(1))
let listenerIdentity = StaticIdentity(secret: secretKey(2))
let dialerPayload = HandshakePayload(capabilities: .severalConnections, agent: "dialer/1")
let listenerPayload = HandshakePayload(listenPort: 9800, agent: "listener/1", requestsInFlightMax: 64)

func dialer(_ kind: ChannelKind, pinned: PeerID? = nil) -> ChannelHandshake {
  ChannelHandshake(
    dialing: dialerIdentity, suite: kind.suite, swarm: kind.swarm, pinned: pinned, payload: dialerPayload,
    ephemeral: secretKey(3))
}

func listener(
  _ kind: ChannelKind, suites: [CipherSuite] = CipherSuite.available, identity: StaticIdentity = listenerIdentity
) -> ChannelHandshake {
  ChannelHandshake(
    listening: identity, suites: suites, swarm: kind.swarm, payload: listenerPayload, ephemeral: secretKey(4))
}

extension ChannelHandshake {
  /// Receives bytes in pieces of at most `pieceSize`. Returns the bytes that were not taken, and the error, if any.
  mutating func take(_ bytes: [UInt8], pieceSize: Int = .max) -> (rest: [UInt8], error: HandshakeError?) {
    var rest = bytes[...]
    while !rest.isEmpty && !isComplete {
      let piece = Array(rest.prefix(pieceSize))
      do throws(HandshakeError) {
        rest = rest.dropFirst(try receive(piece.span.bytes))
      } catch {
        return (Array(rest), error)
      }
    }
    return (Array(rest), nil)
  }
}

/// Two established ends.
struct ChannelEnds: ~Copyable {
  var dialer: EstablishedChannel
  var listener: EstablishedChannel

  init(dialer: consuming EstablishedChannel, listener: consuming EstablishedChannel) {
    self.dialer = dialer
    self.listener = listener
  }

  /// Runs the handshake in pieces of `pieceSize`. Nil if it fails.
  init?(_ kind: ChannelKind, pieceSize: Int = .max) {
    var dialing = WireTests.dialer(kind)
    var listening = WireTests.listener(kind)
    for _ in 0..<2 {
      guard listening.take(dialing.takeOutbound(), pieceSize: pieceSize) == ([], nil) else { return nil }
      guard dialing.take(listening.takeOutbound(), pieceSize: pieceSize) == ([], nil) else { return nil }
    }
    guard dialing.isComplete, listening.isComplete else { return nil }
    dialer = dialing.finish()
    listener = listening.finish()
  }
}

extension RecordSealer {
  /// Seals a whole record.
  mutating func record(_ plaintext: [UInt8]) -> [UInt8] {
    var out = [UInt8](repeating: 0, count: plaintext.count + Record.overhead)
    var elements = out.mutableSpan
    var bytes = elements.mutableBytes
    let written = seal(plaintext: plaintext.span.bytes, into: &bytes)
    precondition(written == out.count)
    return out
  }
}

extension RecordOpener {
  /// Opens a ciphertext. Nil if it does not open.
  mutating func plaintext(_ ciphertext: some Collection<UInt8>) -> [UInt8]? {
    var bytes = Array(ciphertext)
    do throws(RecordError) {
      var elements = bytes.mutableSpan
      var raw = elements.mutableBytes
      let count = try open(inPlace: &raw)
      return Array(bytes.prefix(count))
    } catch {
      return nil
    }
  }
}
