// The two long-lived secrets of a node, shared by its threads: who it is, and which private swarm it belongs to.
import Content
import Sodium

/// A node's X25519 static key pair and the PeerID that follows from it. Immutable, and wiped with its last owner.
public final class StaticIdentity: Sendable {
  /// The private key, which only `serve` writes anywhere: to a file of mode 0600.
  public let secret: SecretKey
  public let publicKey: PublicKey
  public let peerID: PeerID

  public init(secret: consuming SecretKey) {
    publicKey = secret.publicKey
    peerID = PeerID(publicKey: publicKey)
    self.secret = secret
  }
}

/// 32 random bytes that a private swarm shares: Noise's psk, and the key of its file proofs. Wiped with its last owner.
public final class SwarmKey: Sendable {
  public let key: SecretKey

  public init(_ key: consuming SecretKey) { self.key = key }
}
