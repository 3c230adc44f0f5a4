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

  public init(_ key: consuming SecretKey) { self.key = key }
}
