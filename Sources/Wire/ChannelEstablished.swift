// What a completed handshake leaves: the two record ciphers, and what this end knows of the other.
import Content

/// An encrypted channel to a peer that has proven who it is.
@frozen
public struct EstablishedChannel: ~Copyable, Sendable {
  /// Which end this is.
  public let role: ChannelRole
  public let suite: CipherSuite
  /// Known to both ends and to nobody else, and never the same twice: what proofs are bound to.
  public let handshakeHash: Digest
  /// The PeerID that the other end has proven to have.
  public let remote: PeerID
  /// What the other end said of itself.
  public let remotePayload: HandshakePayload
  /// For what this end sends.
  public var sealer: RecordSealer
  /// For what this end receives.
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
