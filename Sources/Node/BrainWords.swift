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
}
