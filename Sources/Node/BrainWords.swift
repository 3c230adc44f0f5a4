// The ends of connections in the words of the brain, which knows neither errno nor handshakes.
import Posix
import Transfer
import Wire

extension ConnectionEnd {
  var dialFailure: DialFailure {
    switch self {
    case .broken(let errno): errno.isRefusal ? .refused : errno.isTimeout ? .timedOut : .unreachable
    case .silent: .timedOut
    case .handshake(.patternMismatch), .handshake(.authenticationFailed), .handshake(.closedByPeer): .notAdmitted
    case .handshake(.wrongPeer): .wrongPeer
    case .handshake(.dialledItself): .ourselves
    case .handshake, .here, .there, .truncated, .violation, .lied, .withdrawn, .refused: .handshake
    }
  }

  var lossReason: LossReason {
    switch self {
    case .here(.idle, _): .idle
    case .here(.tooSlow, _): .stalled
    case .here, .silent, .handshake, .withdrawn, .refused: .closed
    case .there(let code, _): .goodbye(code.rawValue)
    case .broken: .reset
    case .truncated: .truncated
    case .violation, .lied: .violation
    }
  }

  /// The cipher with which to dial once more, after a dial with another.
  func suiteToTry(insteadOf dialled: CipherSuite, isPrivate: Bool) -> CipherSuite? {
    switch self {
    case .handshake(.suiteUnsupported(let suite)): suite == dialled ? nil : suite
    // A private node says nothing to what it cannot read, and so not either that it lacks the cipher.
    case .handshake(.closedByPeer) where isPrivate && dialled != .chaChaPoly: .chaChaPoly
    default: nil
    }
  }
}
