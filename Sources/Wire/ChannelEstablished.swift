// The result of a handshake: two record ciphers, and what this end knows about the peer.
import Content

/// An encrypted channel to a peer with a proven PeerID.
@frozen
public struct EstablishedChannel: ~Copyable, Sendable {
  /// The role of this end: dialer or listener.
  public let role: ChannelRole
  public let suite: CipherSuite
  /// Different for each handshake and known only to the two ends. Proofs are bound to it.
  public let handshakeHash: Digest
  /// The PeerID that the peer has proven.
  public let remote: PeerID
  /// The fields that the peer sent in the handshake.
  public let remotePayload: HandshakePayload
  /// Seals what this end sends.
  public var sealer: RecordSealer
  /// Opens what this end receives.
  public var opener: RecordOpener

  init(
    _ role: ChannelRole, _ suite: CipherSuite, _ handshakeHash: Digest, _ remote: PeerID,
    _ remotePayload: HandshakePayload, _ ciphers: consuming TransportCiphers
  ) {
    self.role = role
    self.suite = suite
    self.handshakeHash = handshakeHash
    self.remote = remote
    self.remotePayload = remotePayload
    switch role {
    case .dialer:
      sealer = RecordSealer(ciphers.fromDialer)
      opener = RecordOpener(ciphers.fromListener)
    case .listener:
      sealer = RecordSealer(ciphers.fromListener)
      opener = RecordOpener(ciphers.fromDialer)
    }
  }
}
