// The names of a download's failures for programs.
import PeerNode
import Transfer

extension DownloadFailure {
  /// The failure as programs read it.
  var word: String {
    switch self {
    case .unreachable: "unreachable"
    case .notFound: "notFound"
    case .notAdmitted: "notAdmitted"
    case .everyPeerLied: "everyPeerLied"
    case .noPeers: "noPeers"
    case .outOfRetries: "outOfRetries"
    case .pageOutOfRetries: "pageOutOfRetries"
    case .storage: "storage"
    case .cancelled: "cancelled"
    }
  }
}

extension DownloadError {
  /// The error as programs read it.
  var word: String {
    switch self {
    case .storage: "storage"
    case .listen: "listen"
    case .system: "system"
    case .badListing: "badListing"
    case .notAFolder: "notAFolder"
    case .nothingWanted: "nothingWanted"
    case .isRunning: "isRunning"
    case .invalid: "invalid"
    case .nodeStopped: "cancelled"
    case .otherLength: "otherLength"
    case .failed(let failure, _, _): failure.word
    }
  }
}

extension RetryReason {
  /// The reason as people read it.
  var words: String {
    switch self {
    case .timeout: "timeout"
    case .connectionLost: "connection lost"
    }
  }
}
