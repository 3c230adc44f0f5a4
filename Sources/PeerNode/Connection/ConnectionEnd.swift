// Why a connection is over, sorted by its cause: this end, the other end, or the network.
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
  /// The stream ended without GOODBYE: the other end died, or a device in between cut the stream.
  case truncated
  /// The handshake was not done in time.
  case silent
  /// The handshake failed.
  case handshake(HandshakeError)
  /// A record does not open, or a frame makes no sense, or a promise was not kept. Closed without a word where the
  /// record layer failed.
  case violation(String)
  /// The peer sent bytes, hashes or a manifest that do not hash.
  case lied(String)
  /// The connection stands, but the peer no longer offers the file.
  case withdrawn(Withdrawn.Reason)
  /// The connection stands, but the peer does not open the file.
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
  /// The code as people read it.
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
  /// The refusal as people read it.
  public var words: String {
    switch self {
    case .noSuchFile: "it does not have the file"
    case .tooManyFilesOpen: "it has too many files open for this node"
    case .notAllowed: "it does not give the file to this node"
    }
  }
}

extension Withdrawn.Reason {
  /// The reason as people read it.
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
  /// The error as people read it, with what to do.
  public var words: String {
    switch self {
    case .notAP2PNode: "what answers there is not a p2pnode"
    case .otherVersion(let version): "it speaks version \(version) of the protocol, which this program does not"
    case .suiteUnsupported: "it does not support this cipher"
    case .patternMismatch(let peerIsPrivate):
      peerIsPrivate
        ? "not admitted: it belongs to a private swarm, and this node has no --swarm-key"
        : "not admitted: it is a public node, and this one has a --swarm-key"
    case .authenticationFailed: "not admitted: its swarm key is another one"
    case .wrongPeer(let expected, let got):
      "it is \(got.hex), not \(expected.hex): if the sender was started again, ask for its new line"
    case .dialledItself: "it is this node itself"
    case .malformed: "what answers there does not speak the protocol"
    case .closedByPeer:
      "it closed the connection during the handshake: it belongs to a private swarm whose key this node lacks, or it is not a p2pnode"
    }
  }
}
