// The errors of downloads and servers in words for people.
import Posix
import Transfer

extension Endpoint {
  /// Makes an endpoint from an address of the download engine, as in reports and statistics.
  public init(_ address: PeerAddress) { self.init(ip: address.ip, port: address.port, scope: address.scope) }
}

extension DownloadError: CustomStringConvertible {
  /// The reason, with the file or peer that it concerns.
  public var description: String {
    switch self {
    case .failed(let failure, _, let part): failure.words + (part.map { "; what was verified is kept in \($0)" } ?? "")
    case .storage(let error): error.description
    case .otherLength(let expected, let actual): "the file has \(actual) bytes, not \(expected)"
    case .notAFolder(let name, let length): "the ID is that of a file: \(name), \(length) bytes"
    case .badListing(let fault): "the listing of the folder is not valid: \(fault)"
    case .nothingWanted: "the folder has no path that the filter includes"
    case .isRunning(let fileID): "this node downloads \(fileID.hex) already"
    case .listen(let address, let errno): "cannot listen on \(address): \(errno.reason)"
    case .system(let errno): "cannot start: \(errno)"
    case .invalid(let fault): fault.description
    case .nodeStopped: "the node has stopped: start the download on a node that runs"
    }
  }
}

extension DownloadError {
  /// Whether the program ended the download itself: by `cancel`, by its task, or because its node stopped.
  public var isCancelled: Bool { if case .failed(.cancelled, _, _) = self { true } else { false } }
}

extension ServerError: CustomStringConvertible {
  /// The reason, with the file or address that it concerns.
  public var description: String {
    switch self {
    case .folder(let errno): "cannot serve the folder: \(errno)"
    case .listen(let errno): "cannot listen: \(errno)"
    case .state(let error): "cannot keep hashes in the state folder: \(error)"
    case .system(let errno): "cannot start: \(errno)"
    case .invalid(let fault): fault.description
    }
  }
}

extension DownloadFailure {
  fileprivate var words: String {
    switch self {
    case .unreachable(let reports): "no peer can be reached\(DownloadFailure.words(of: reports))"
    case .notFound(let reports): "no peer has the file\(DownloadFailure.words(of: reports))"
    case .notAdmitted(let reports): "no peer admits this node\(DownloadFailure.words(of: reports))"
    case .everyPeerLied(let reports):
      "every peer that has the file sent wrong data\(DownloadFailure.words(of: reports))"
    case .noPeers([]):
      "no peer was named or found: name one, or let the node look for peers (`NodeConfiguration.discovery`)"
    case .noPeers(let reports):
      "no peer is left, or none was found\(DownloadFailure.words(of: reports))"
    case .outOfRetries(let chunk): "chunk \(chunk.rawValue) failed after all its retries"
    case .pageOutOfRetries(let page): "page \(page.rawValue) of the chunk hashes failed after all its retries"
    case .storage: "the disk failed"
    case .cancelled: "it was cancelled"
    }
  }

  private static func words(of reports: [AddressReport]) -> String {
    let words = reports.map { "\(Endpoint($0.address)): \($0.outcome.words)" }
    return words.isEmpty ? "" : " (\(words.joined(separator: "; ")))"
  }
}

extension AddressOutcome {
  fileprivate var words: String {
    switch self {
    case .pending: "not tried"
    case .dialFailed(let failure): failure.words
    case .silent: "no answer in time"
    case .refused(let refusal): refusal.words
    case .opened: "connected"
    case .duplicate: "another address of a peer"
    case .lost: "the connection was lost"
    case .lied: "it sent wrong data"
    }
  }
}

extension DialFailure {
  fileprivate var words: String {
    switch self {
    case .refused: "connection refused"
    case .timedOut: "no answer in time"
    case .unreachable: "not reachable"
    case .notAdmitted: "not admitted"
    case .wrongPeer: "another peer than the one that was named"
    case .handshake: "it does not speak the protocol"
    case .ourselves: "it is this node itself"
    }
  }
}
