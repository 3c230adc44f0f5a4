// Noise's HandshakeState: processes a pattern's messages token by token. All keys are passed in.
import Content
import Sodium

/// One end of a connection. The raw value marks the direction of a proof: 0 from the dialer, 1 from the listener.
public enum ChannelRole: UInt8, Hashable, Sendable {
  /// Noise's initiator.
  case dialer = 0
  /// Noise's responder.
  case listener = 1

  /// The role of the other end.
  public var other: ChannelRole { self == .dialer ? .listener : .dialer }
}

/// The pattern, with its number in the preamble. `xx` admits every peer; `xxpsk0` admits peers that have the swarm key.
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

  /// The tokens of each message. The dialer sends the first, then the ends alternate (Noise, revision 34, 7.5 and 9.4).
  var messages: [[Token]] {
    switch self {
    case .xx: [[.e], [.e, .ee, .s, .es], [.s, .se]]
    case .xxpsk0: [[.psk, .e], [.e, .ee, .s, .es], [.s, .se]]
    }
  }

  /// Whether the pattern uses a psk. Then `e` is also mixed into the key (section 9.2).
  var hasPSK: Bool { messages.joined().contains(.psk) }
}

/// One end's handshake. Useless after a failure. Source: the Noise specification, revision 34, section 5.3.
struct HandshakeState: ~Copyable {
  enum Failure: Error {
    /// The message is shorter than its tokens.
    case truncated
    /// A part did not decrypt: the psk or the prologue differs, or bytes were changed.
    case authentication
    /// The shared secret with this public key is known to everyone.
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
  /// The peer's static key. The peer has proven to own it once the message that carries it is read.
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

  /// The handshake hash. Final once `isComplete`.
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

  /// Reads the other end's next message and returns its payload.
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

  /// Mixes in a Diffie-Hellman result. The token's first letter names the dialer's key, the second the listener's.
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
