// Why a connection ended, sorted by cause: this end, the other end, or the network.
import Posix
import Wire

/// The end of a connection.
public enum ConnectionEnd: Error, Sendable {
  /// This end closed it with a GOODBYE.
  case local(CloseCode, String)
  /// The other end closed it with a GOODBYE.
  case remote(CloseCode, String)
  /// The network or the other end's system broke it.
  case broken(Errno)
  /// The stream ended without a GOODBYE: the other end died, or a device in between cut the stream.
  case truncated
  /// The handshake was not done in time.
  case silent
  /// The handshake failed.
  case handshake(HandshakeError)
  /// The peer broke the protocol: a record does not open, a frame is invalid, or a message is not allowed. If the
  /// record layer failed, the connection closes without a GOODBYE.
  case violation(String)
  /// The peer sent bytes, hashes or a manifest that fail verification.
  case lied(String)
  /// The peer no longer offers the file. The connection stays open.
  case withdrawn(Withdrawn.Reason)
  /// The peer refused to open the file. The connection stays open.
  case refused(Opened.Refusal)
}

extension ConnectionEnd: CustomStringConvertible {
  public var description: String {
    switch self {
    case .local(let code, let text): "closed by us: \(text.isEmpty ? code.words : text)"
    case .remote(.notAllowed, _):
      "not admitted: it serves only the PeerIDs that it lists; use an --identity that it knows (see 'p2pnode whoami')"
    case .remote(let code, let text): text.isEmpty ? "it said: \(code.words)" : "it said: \(code.words) (\(text))"
    case .broken(let errno): errno.reason
    case .truncated: "the connection was cut"
    case .silent: "it accepts connections but does not answer: it may be suspended or asleep, or not a p2pnode"
    case .handshake(let error): error.words
    case .violation(let what): "protocol violation: \(what)"
    case .lied(let what): "wrong data: \(what)"
    case .withdrawn(.notOffered): "it no longer offers the file"
    case .withdrawn(let reason): "it no longer offers the file: \(reason.words)"
    case .refused(let refusal): refusal.words
    }
  }
}

extension CloseCode {
  /// The code in words for people.
  public var words: String {
    switch self {
    case .done: "done"
    case .shuttingDown: "shutting down"
    case .protocolError: "protocol error"
    case .tooManyConnections: "too many connections"
    case .idle: "idle"
    case .duplicateConnection: "already connected"
    case .badData: "bad data"
    case .notAllowed: "not allowed"
    case .internalError: "internal error"
    case .tooSlow: "too slow"
    }
  }
}

extension Opened.Refusal {
  /// The refusal in words for people.
  public var words: String {
    switch self {
    case .noSuchFile: "it does not have the file"
    case .tooManyFilesOpen: "it has too many files open for this node"
    case .notAllowed: "it does not give the file to this node"
    }
  }
}

extension Withdrawn.Reason {
  /// The reason in words for people.
  public var words: String {
    switch self {
    case .changed: "it was changed there"
    case .removed: "it was removed there"
    case .unreadable: "it cannot be read there"
    case .notOffered: "it is no longer offered there"
    }
  }
}

extension HandshakeError {
  /// The error in words for people, with advice where there is some.
  public var words: String {
    switch self {
    case .notAP2PNode: "what answers there is not a p2pnode"
    case .otherVersion(let version): "it uses version \(version) of the protocol, which this program does not support"
    case .suiteUnsupported: "it does not support this cipher"
    case .patternMismatch(let peerIsPrivate):
      peerIsPrivate
        ? "not admitted: it belongs to a private swarm, and this node has no --swarm-key"
        : "not admitted: it is a public node, and this one has a --swarm-key"
    case .authenticationFailed: "not admitted: it has another swarm key"
    case .wrongPeer(let expected, let got):
      "its PeerID is \(got.hex), not \(expected.hex): if the sender was restarted, ask for its new command"
    case .dialledItself: "it is this node itself"
    case .malformed: "what answers there does not speak the protocol"
    case .closedByPeer:
      "it closed the connection during the handshake: it belongs to a private swarm whose key this node lacks, or it is not a p2pnode"
    }
  }
}
