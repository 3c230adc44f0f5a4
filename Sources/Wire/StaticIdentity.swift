// The two long-lived secrets of a node, shared by its threads: its identity key and the key of its private swarm.
import Content
import Sodium

/// A node's X25519 static key pair and its PeerID. Immutable. Wiped when its last owner releases it.
public final class StaticIdentity: Sendable {
  /// The private key. Only `serve` stores it: in a file of mode 0600.
  public let secret: SecretKey
  public let publicKey: PublicKey
  public let peerID: PeerID

  public init(secret: consuming SecretKey) {
    publicKey = secret.publicKey
    peerID = PeerID(publicKey: publicKey)
    self.secret = secret
  }
}

/// 32 random bytes that a private swarm shares: Noise's psk and the key of file proofs. Wiped with its last owner.
public final class SwarmKey: Sendable {
  public let key: SecretKey

  /// - Throws: `zero` if all bytes are 0. The file proofs of such a swarm would be those of a public one.
  public init(_ key: consuming SecretKey) throws(SwarmKeyFault) {
    guard !key.isZero else { throw .zero }
    self.key = key
  }
}

/// Why 32 bytes are not the key of a private swarm.
public enum SwarmKeyFault: Error, Hashable, CustomStringConvertible {
  case zero

  public var description: String { "a swarm key of 32 zero bytes is no secret; take SecretKey.random()" }
}
