// Explains why a `get` failed: what happened with each peer that it tried, and what to do now.
import Content
import PeerNode
import Posix
import Storage
import Transfer
import Wire

extension DiscoverySummary {
  /// What was tried, for people.
  fileprivate var words: String {
    let machine =
      localNodes == 0
      ? "no other node of this user runs on this machine"
      : "\(Format.count(localNodes, "node")) of this user \(localNodes == 1 ? "runs" : "run") on this machine"
    guard let interfaces else { return "\(machine), and the search on the local network is off (setting lan)" }
    if interfaces.isEmpty { return "\(machine), and this machine has no local network" }
    return "\(machine), and the local network (\(interfaces.map(Console.escaped).joined(separator: ", "))) was asked"
  }
}

/// Keeps the last result of each peer for the message at the end.
final class GetFailures: DownloadObserver {
  private var ends: [Endpoint: ConnectionEnd] = [:]
  /// Peers whose file changed during the download, with their addresses. A later answer that the peer lacks the file
  /// does not hide this. A peer that has the file again is removed.
  private var changed: [PeerID: Endpoint] = [:]
  /// The most addresses in the final message. The first ones are kept, because the user named those.
  private static let endsMax = 64
  private var otherEnds = 0
  private var unresolved: [(PeerSource, String)] = []
  private var search: DiscoverySummary?
  /// The latest report of waiting for peers. Nil before the first.
  private var wait: PeerWait?
  /// The start of each line.
  private let prefix: String
  /// For each chunk, why it was last retried, and at which peer.
  private var retried: [ChunkIndex: String] = [:]

  init(prefix: String = "") { self.prefix = prefix }

  func see(_ update: DownloadUpdate) {
    switch update {
    case .report(.chunkRetry(let chunk, let peer, let reason, _, _)):
      retried[chunk] = "\(reason.words) at \(peer.short)"
    case .unresolved(let source, let reason): unresolved.append((source, reason))
    case .resolved(let source, _): unresolved.removeAll { $0.0 == source }
    case .searched(let summary): search = summary
    case .waiting(let wait): self.wait = wait
    case .report(.peerJoined(let peer)): changed[peer] = nil
    case .peerEnded(let address, let peer?, _) where changed[peer] == address: break
    case .peerEnded(let address, let peer, let end):
      if end.isOfChangedFile, let peer { changed[peer] = address }
      if ends[address] != nil || ends.count < GetFailures.endsMax { ends[address] = end } else { otherEnds += 1 }
    // This is an error, so --quiet does not hide it.
    case .unreadable(let error): Console.error("\(prefix)p2pnode: \(Console.escaped(error.description))")
    case .listing, .planned, .prepared, .files, .report, .progress, .found, .resumed, .listening, .staying: break
    }
  }

  func ended(_ result: DownloadResult) {}
  func failed(_ error: DownloadError, _ failure: Failure) {}

  /// Returns the failure with an exit code and advice.
  func failure(_ error: DownloadError, stop: StopSignal, fileID: FileID, target: DownloadTarget) -> Failure {
    switch error {
    case .storage(.exists(let path)) where target.name == nil:
      Failure(
        Exit.cannotCreate,
        "\(Console.escaped(path)): exists already, and 'get' never replaces a file under a suggested name; name the file with -o PATH"
      )
    case .storage(let error): Failure(error)
    case .listen(let address, let errno): Failure(errno, listen: address)
    case .system(let errno):
      Failure(
        Exit.ioError, "cannot start: \(errno); free memory or raise the limit of open files (ulimit -n), and try again")
    case .badListing(let fault): Failure(fault, listingOf: fileID)
    // Only the verbs that fetch just a listing get this error for a file.
    case .notAFolder: Failure(Exit.usage, "\(error); --dry-run plans only folders: leave it out to fetch the file")
    case .nothingWanted:
      Failure(
        Exit.usage,
        "\(error); compare --include and --exclude with the paths that 'p2pnode ls' prints, which do not begin "
          + "with the name of the folder")
    case .isRunning, .invalid: Failure(Exit.usage, "\(error)")
    case .nodeStopped: Failure(stop.exitCode, "interrupted; nothing is kept: run the same command again to start over")
    case .otherLength(let expected, let actual): Failure(Exit.badData, Failure.wrongLink(says: expected, has: actual))
    case .failed(let failure, let stats, let part):
      self.failure(failure, stats, kept: part, stop: stop, fileID: fileID)
    }
  }

  private func failure(
    _ failure: DownloadFailure, _ stats: DownloadStats, kept: String?, stop: StopSignal, fileID: FileID
  ) -> Failure {
    let had = stats.downloadedChunks + stats.resumedChunks
    let chunks = "\(had) of \(Format.count(stats.totalChunks, "chunk")) \(stats.totalChunks == 1 ? "is" : "are")"
    let resume =
      kept.map { "; \(chunks) kept in \($0): run the same command again to resume" }
      ?? "; nothing is kept: run the same command again to start over"
    switch failure {
    case .cancelled: return Failure(stop.exitCode, "interrupted\(resume)")
    case .unreachable:
      return Failure(
        Exit.unavailable,
        "no peer can be reached\(waited)\(reasons); check that they run, or name other peers \(KnownPeers.places)\(waitAdvice)"
      )
    case .notFound:
      return Failure(
        Exit.unavailable, "no peer has \(fileID.hex)\(waited)\(reasons); check the ID, or name other peers\(waitAdvice)"
      )
    case .notAdmitted:
      return Failure(
        Exit.notAdmitted,
        "no peer admits this node\(reasons); use the --swarm-key of their swarm (none if they are public), or ask their "
          + "owner to --allow this node")
    case .everyPeerLied:
      return Failure(Exit.badData, "every peer that has the file sent wrong data\(reasons); name other peers\(resume)")
    case .noPeers:
      if stats.totalChunks == 0 {
        let tried = search.map { ": \($0.words)" } ?? ""
        return Failure(
          Exit.unavailable,
          "no peer answered\(waited)\(reasons)\(tried); a node answers only if it has the file, and a node of a private swarm "
            + "only if this node uses the same --swarm-key: check the ID, or name peers that have the file "
            + "\(KnownPeers.places)\(waitAdvice)")
      }
      guard changed.isEmpty else {
        // The same command would not find a peer.
        return Failure(
          Exit.tryAgain,
          "no peer is left\(waited)\(reasons): ask the sender for the new ID of the file"
            + (kept.map { "; of the old file \(chunks) kept in \($0)" } ?? ""))
      }
      return Failure(Exit.tryAgain, "no peer is left\(waited)\(reasons)\(resume)")
    case .outOfRetries(let chunk):
      let last = reasons(before: retried[chunk].map { "last: \($0)" })
      return Failure(Exit.tryAgain, "chunk \(chunk.rawValue) failed after all its retries\(waited)\(last)\(resume)")
    case .pageOutOfRetries:
      return Failure(Exit.tryAgain, "the chunk hashes could not be fetched\(waited)\(reasons)\(resume)")
    case .storage: return Failure(Exit.ioError, "the disk failed\(resume)")
    }
  }

  /// How long the download has waited for peers.
  private var waited: String { wait.map { " after waiting \($0.timeWords)" } ?? "" }

  /// Advice on --wait, if the download did not wait for peers.
  private var waitAdvice: String { wait == nil ? "; or start the sender, and wait for it with --wait 10m" : "" }

  /// The result of each peer, in parentheses.
  private var reasons: String { reasons(before: nil) }

  private func reasons(before first: String?) -> String {
    let addresses = ends.sorted { $0.key.description < $1.key.description }
      .map { "\($0.key): \(Console.escaped($0.value.description))" }
    let names = unresolved.map { "\($0.0): \($0.1)" }
    let others = otherEnds > 0 ? [Format.count(otherEnds, "other connection")] : []
    let all = (first.map { [$0] } ?? []) + names + addresses + others
    return all.isEmpty ? "" : " (\(all.joined(separator: "; ")))"
  }
}

extension ConnectionEnd {
  /// Whether the peer had the file, and the file was then changed, replaced or removed.
  fileprivate var isOfChangedFile: Bool {
    switch self {
    case .withdrawn(.changed), .withdrawn(.removed): true
    default: false
    }
  }
}

extension Failure {
  /// The listing breaks a rule.
  init(_ fault: FolderListingFault, listingOf fileID: FileID) {
    self.init(
      Exit.badData,
      "the listing of \(fileID.hex) is not valid: \(fault); ask its author for a new ID"
    )
  }

  static let noPeerIsKnown = Failure(
    Exit.unavailable, "no peer is known: name peers that have the file \(KnownPeers.places)")
}
