// Translates the end of a connection for a download, whose state machine knows neither errno nor handshakes.
import Posix
import Transfer
import Wire

extension ConnectionEnd {
  /// Why a dial failed.
  var dialFailure: DialFailure {
    switch self {
    case .broken(let errno): errno.isRefusal ? .refused : errno.isTimeout ? .timedOut : .unreachable
    case .silent: .timedOut
    case .handshake(.patternMismatch), .handshake(.authenticationFailed), .handshake(.closedByPeer): .notAdmitted
    case .handshake(.wrongPeer): .wrongPeer
    case .handshake(.dialledItself): .ourselves
    case .handshake, .local, .remote, .truncated, .violation, .lied, .withdrawn, .refused: .handshake
    }
  }

  /// Returns the event for a download that fetched over the connection.
  func event(of id: ConnectionID) -> DownloadEvent {
    switch self {
    case .remote(let code, let text): DownloadEvent(.remote(code, text), of: id)
    case .violation(let what): DownloadEvent(.violation(what), of: id)
    case .lied(let what): DownloadEvent(.lied(what), of: id)
    case .local(.idle, _): .connectionLost(id, .idle)
    case .local(.tooSlow, _): .connectionLost(id, .stalled)
    case .local, .silent, .handshake, .withdrawn, .refused: .connectionLost(id, .closed)
    case .broken: .connectionLost(id, .reset)
    case .truncated: .connectionLost(id, .truncated)
    }
  }

  /// Returns the cipher suite for a second dial, after a dial with another suite failed; nil: no second dial.
  func suiteToTry(insteadOf dialled: CipherSuite, isPrivate: Bool) -> CipherSuite? {
    switch self {
    case .handshake(.suiteUnsupported(let suite)): suite == dialled ? nil : suite
    // A private node does not answer a peer whose messages it cannot read, so it cannot say that it lacks the suite.
    case .handshake(.closedByPeer) where isPrivate && dialled != .chaChaPoly: .chaChaPoly
    default: nil
    }
  }
}
