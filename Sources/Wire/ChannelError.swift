// Why a handshake failed. The cases are sorted by what the dialer or listener can do about it.

/// A handshake that failed. The connection is closed after the remaining outbound bytes are sent.
public enum HandshakeError: Error, Hashable, Sendable {
  /// What cannot be read.
  public enum Malformation: Hashable, Sendable {
    /// The suite or pattern is unknown, reserved bytes are not zero, or the listener's answer offers nothing new.
    case preamble
    /// The length is not possible for this message.
    case messageLength
    /// A field of a payload is cut off, occurs twice or has a wrong length.
    case payload
    /// A public key is of low order. Only an attacker sends one.
    case publicKey
  }

  /// The other end speaks another protocol.
  case notAP2PNode
  /// The other end speaks this protocol, in a version that this program does not know.
  case otherVersion(UInt8)
  /// The listener lacks the suite. The dialer may dial once more with the given one, which all listeners support.
  case suiteUnsupported(redialWith: CipherSuite)
  /// One end belongs to a private swarm and the other does not. Dialling again does not help.
  case patternMismatch(peerIsPrivate: Bool)
  /// A message did not decrypt: the swarm keys differ, or bytes were changed in transit.
  case authenticationFailed
  /// The listener has proven a PeerID that is not the pinned one.
  case wrongPeer(expected: PeerID, got: PeerID)
  /// The node dialled its own address.
  case dialledItself
  case malformed(Malformation)
  /// The other end closed the connection before the handshake was complete. A private listener closes silently if the
  /// dialer lacks the swarm key or uses a suite that the listener does not support.
  case closedByPeer
}
