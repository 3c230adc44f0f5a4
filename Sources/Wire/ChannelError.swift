// Why a handshake ended early, sorted by what the one who dialled or listens can do about it.

/// A handshake that will not be completed. The connection is closed, once what is left to send is sent.
public enum HandshakeError: Error, Hashable, Sendable {
  /// What cannot be read, and why.
  public enum Malformation: Hashable, Sendable {
    /// A suite or pattern that nobody knows, or reserved bytes that are not zero, or an answer that changes nothing.
    case preamble
    /// A length that this message cannot have.
    case messageLength
    /// A field of a payload that is cut off, stands twice or has a wrong length.
    case payload
    /// A public key of low order, which only an attacker sends.
    case publicKey
  }

  /// The other end speaks another protocol.
  case notAP2PNode
  /// The other end speaks this protocol, in a version that this program does not know.
  case otherVersion(UInt8)
  /// The listener cannot do the suite. A dialer may dial once more with the one named, which every listener can do.
  case suiteUnsupported(redialWith: CipherSuite)
  /// One end belongs to a private swarm and the other does not; dialling again does not help.
  case patternMismatch(peerIsPrivate: Bool)
  /// A message did not decrypt: another swarm key, or bytes that changed on the way.
  case authenticationFailed
  /// The listener has proven to be another peer than the pinned one.
  case wrongPeer(expected: PeerID, got: PeerID)
  /// The other end is this one: the address that was dialled is its own.
  case dialledItself
  case malformed(Malformation)
  /// The other end closed before the handshake was over. A private listener does so, silently, if the
  /// dialer lacks its swarm key or has a suite that it cannot do.
  case closedByPeer
}
