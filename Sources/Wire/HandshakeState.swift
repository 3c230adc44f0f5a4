// Noise's HandshakeState: works through a pattern's messages, token by token. Keys and psk are handed in, never drawn.
import Content
import Sodium

/// The end of a connection. Its number marks the direction of a proof: 0, sent by the dialer; 1, by the listener.
public enum ChannelRole: UInt8, Hashable, Sendable {
  /// Noise's initiator.
  case dialer = 0
  /// Noise's responder.
  case listener = 1

  /// The other end's.
  public var other: ChannelRole { self == .dialer ? .listener : .dialer }
}

/// The peers that are admitted, as the preamble numbers it: all, or those that hold the swarm key.
public enum HandshakePattern: UInt8, Hashable, Sendable {
  case xx = 0
  case xxpsk0 = 1

  enum Token: Hashable { case e, s, ee, es, se, psk }

  var name: String {
    switch self {
    case .xx: "XX"
    case .xxpsk0: "XXpsk0"
    }
  }

  /// The dialer sends the first, then they take turns (the Noise specification, revision 34, sections 7.5 and 9.4).
  var messages: [[Token]] {
    switch self {
    case .xx: [[.e], [.e, .ee, .s, .es], [.s, .se]]
    case .xxpsk0: [[.psk, .e], [.e, .ee, .s, .es], [.s, .se]]
    }
  }

  /// Whether `e` is also mixed into the key (section 9.2).
  var hasPSK: Bool { messages.joined().contains(.psk) }
}

/// Source: the Noise specification, revision 34, section 5.3. After a failure it is of no further use.
struct HandshakeState: ~Copyable {
  enum Failure: Error {
    /// Shorter than the tokens of the message.
    case truncated
    /// Something did not decrypt: another psk, another prologue, or bytes that were changed.
    case authentication
    /// A public key whose shared secret everybody knows.
    case lowOrderPoint
  }

  private let role: ChannelRole
  private let pattern: HandshakePattern
  private let identity: StaticIdentity
  private let swarm: SwarmKey?
  private let ephemeral: SecretKey
  private var symmetric: SymmetricState
  private var messagesDone = 0
  private var remoteEphemeral: PublicKey?
  /// The other end's static key, proven to be its own once the message that carries it was read.
  private(set) var remoteStatic: PublicKey?

  init(
    _ role: ChannelRole, _ pattern: HandshakePattern, _ suite: CipherSuite, prologue: RawSpan,
    identity: StaticIdentity, ephemeral: consuming SecretKey, swarm: SwarmKey?
  ) {
    precondition(pattern.hasPSK == (swarm != nil), "the swarm key goes with its pattern")
    self.role = role
    self.pattern = pattern
    self.identity = identity
    self.ephemeral = ephemeral
    self.swarm = swarm
    symmetric = SymmetricState(pattern, suite)
    symmetric.mixHash(prologue)
  }

  /// Final once `isComplete`.
  var handshakeHash: Digest { symmetric.handshakeHash }

  var isComplete: Bool { messagesDone == pattern.messages.count }

  mutating func writeMessage(payload: [UInt8]) throws(Failure) -> [UInt8] {
    precondition(!isComplete && messagesDone % 2 == Int(role.rawValue), "it is the other end's turn")
    var message: [UInt8] = []
    for token in pattern.messages[messagesDone] {
      switch token {
      case .e:
        message += ephemeral.publicKey.bytes
        mix(ephemeral: ephemeral.publicKey)
      case .s: identity.publicKey.withBytes { symmetric.encryptAndHash($0, appendingTo: &message) }
      case .ee, .es, .se: try mixSharedSecret(token)
      case .psk: swarm!.key.withBytes { symmetric.mixKeyAndHash($0) }
      }
    }
    symmetric.encryptAndHash(payload.span.bytes, appendingTo: &message)
    messagesDone += 1
    return message
  }

  /// Returns the payload.
  mutating func readMessage(_ message: RawSpan) throws(Failure) -> [UInt8] {
    precondition(!isComplete && messagesDone % 2 != Int(role.rawValue), "it is this end's turn")
    var offset = 0
    for token in pattern.messages[messagesDone] {
      switch token {
      case .e:
        guard message.byteCount - offset >= PublicKey.byteCount else { throw .truncated }
        let key = PublicKey(message, at: offset)
        offset += PublicKey.byteCount
        remoteEphemeral = key
        mix(ephemeral: key)
      case .s:
        let count = PublicKey.byteCount + symmetric.tagByteCount
        guard message.byteCount - offset >= count else { throw .truncated }
        let key = try symmetric.decryptAndHash(message.extracting(offset..<offset + count))
        offset += count
        remoteStatic = PublicKey(key.span.bytes)
      case .ee, .es, .se: try mixSharedSecret(token)
      case .psk: swarm!.key.withBytes { symmetric.mixKeyAndHash($0) }
      }
    }
    let payload = try symmetric.decryptAndHash(message.extracting(offset..<message.byteCount))
    messagesDone += 1
    return payload
  }

  consuming func split() -> TransportCiphers {
    precondition(isComplete, "the handshake is not over")
    return symmetric.split()
  }

  private mutating func mix(ephemeral key: PublicKey) {
    key.withBytes { bytes in
      symmetric.mixHash(bytes)
      if pattern.hasPSK { symmetric.mixKey(bytes) }
    }
  }

  /// The first letter of the token names the dialer's key, the second the listener's.
  private mutating func mixSharedSecret(_ token: HandshakePattern.Token) throws(Failure) {
    let usesOwnStatic = token == (role == .dialer ? .se : .es)
    let usesRemoteStatic = token == (role == .dialer ? .es : .se)
    let remote = usesRemoteStatic ? remoteStatic! : remoteEphemeral!
    guard
      let shared = usesOwnStatic ? identity.secret.sharedSecret(with: remote) : ephemeral.sharedSecret(with: remote)
    else { throw .lowOrderPoint }
    shared.withBytes { symmetric.mixKey($0) }
  }
}
