// What `get` prints while it runs and at its end: the engine's log lines, a progress line on a terminal, or JSON lines.
import Content
import Node
import Posix
import Storage
import Transfer
import Wire

extension DiscoverySummary {
  /// What was tried, for a person.
  fileprivate var words: String {
    let machine = localNodes == 0 ? "no other node of yours runs here" : "\(localNodes) nodes of yours run here"
    guard let interfaces else { return "\(machine), and P2PNODE_LAN is off" }
    if interfaces.isEmpty { return "\(machine), and there is no local network to ask" }
    return "\(machine), and the local network (\(interfaces.map(Console.escaped).joined(separator: ", "))) was asked"
  }
}

/// Prints the updates of one download; all come on one thread.
final class GetLog {
  /// Says the same on stdout; nil: nothing is to be said there.
  private let json: GetJSON?
  private let isQuiet: Bool
  private let isVerbose: Bool
  /// Every event a line; else one line that is redrawn.
  private let isPlain: Bool
  private var name = ""
  private var length: UInt64 = 0
  private var wasFound = false
  private var hasStayed = false
  /// The last word on each address, for the message at the end.
  private var ends: [SocketAddress: ConnectionEnd] = [:]
  private var unresolved: [(PeerSource, String)] = []
  private var search: DiscoverySummary?
  /// Why a chunk had to be tried again last, and at whom.
  private var retried: [ChunkIndex: String] = [:]

  /// What is to be explained at the end, by the number of workers; nil: nothing.
  private let explains: Int?

  init(json: GetJSON?, explains: Int?, quiet: Bool, verbose: Bool) {
    self.json = json
    self.explains = explains
    isQuiet = quiet
    isVerbose = verbose
    isPlain = verbose || !Console.isTerminal
  }

  private var shownName: String { Console.escaped(name) }

  func print(_ update: DownloadUpdate) {
    json?.print(update)
    switch update {
    case .prepared(let name, let length):
      self.name = name
      self.length = length
    case .report(let report): print(report)
    case .progress(let progress):
      if !isQuiet && !isPlain { Console.status(GetLog.screen(progress, name: shownName, length: length)) }
    case .unresolved(let source, let reason):
      unresolved.append((source, reason))
      note("Peer \(source): \(reason); it is looked up again")
    case .resolved(let source, let addresses):
      unresolved.removeAll { $0.0 == source }
      if !addresses.isEmpty { note("Peer \(source) is \(addresses.map(\.description).joined(separator: ", "))") }
    case .searched(let summary): search = summary
    case .peerEnded(let address, let peer, let end):
      ends[address] = end
      note("Peer \(peer.map { "\($0.short) at " } ?? "")\(address): \(Console.escaped(end.description))")
    case .found(let path):
      wasFound = true
      note("Already here, and right: \(Console.escaped(path))")
    case .resumed(let chunks): note("Resumed: \(chunks) chunks were here already")
    case .listening(let address): if isVerbose { note("Listening on \(address)") }
    case .staying(let result):
      done(result)
      hasStayed = true
      if !isQuiet { Console.error("[Downloader] Still serving \(Console.escaped(result.name)); end it with Ctrl-C") }
    case .unreadable(let error): Console.error("p2pnode: \(Console.escaped(error.description))")
    }
  }

  private func print(_ report: DownloadReport) {
    if wasFound { return }
    switch report {
    case .started(let chunks, let peers):
      note("Starting parallel download: \(shownName) (\(chunks) chunks from \(peers) peers)")
    case .usingWorkers(let count): note("Using \(count) parallel workers")
    case .chunkDone(_, let worker, let finished, let total, let peer, let latency, _):
      let percent = Format.fixed(Double(finished) / Double(max(1, total)) * 100, 1)
      line(
        "[Worker \(worker)] Chunk \(finished)/\(total) (\(percent)%) from \(peer.short) in \(Format.milliseconds(latency))"
      )
    case .chunkRetry(let chunk, let peer, let reason, let attempt, let delay):
      retried[chunk] = "\(reason.words) at \(peer.short)"
      line(
        "[Retry] Chunk \(chunk.rawValue) from \(peer.short): \(reason.words); retry \(attempt) in "
          + "\(Format.fixed(Format.seconds(delay), 1))s")
    case .peerBanned(let peer): note("Peer \(peer.short) is banned: it sent wrong data")
    // Said at the end, or by the connection's own end.
    case .chunkFailed, .chunkHedged, .peerFailed, .peerJoined, .peerLost: break
    }
  }

  /// The download and all that came after it are over.
  func ended(_ result: DownloadResult) {
    json?.ended(result)
    if !hasStayed { done(result) }
    if isVerbose { note("Uploaded: \(result.stats.uploadedBytes) bytes") }
  }

  private func done(_ result: DownloadResult) {
    let speed = Format.speed(result.stats.bytesPerSecond)
    guard !isQuiet else { return }
    if result.wasFound {
      // Where every event is a line, it has been said.
      if !isPlain { Console.error("[Downloader] Already here, and right: \(Console.escaped(result.path ?? ""))") }
      return
    }
    print(result.stats, name: result.name)
    Console.error("[Downloader] Download complete: \(Console.escaped(result.name)) (\(speed))")
    explain(result.stats)
  }

  private func explain(_ stats: DownloadStats) {
    guard let explains, !isQuiet else { return }
    for line in DownloadExplanation(stats, maxWorkers: explains).lines { Console.error(line) }
  }

  private func print(_ stats: DownloadStats, name: String) {
    Console.error("[Stats] File: \(Console.escaped(name))")
    Console.error(
      "[Stats] Total chunks: \(stats.totalChunks), Downloaded: \(stats.downloadedChunks), Failed: \(stats.failedChunks)"
    )
    Console.error(
      "[Stats] Bytes: \(stats.bytes), Duration: \(Format.fixed(Format.seconds(stats.duration), 1))s, "
        + "Speed: \(Format.speed(stats.bytesPerSecond))")
    printTrouble(stats)
    Console.error("[Stats] Peer performance:")
    for peer in stats.peers {
      Console.error(
        "  - \(peer.peer.short): \(peer.chunks) chunks, avg latency \(Format.milliseconds(peer.averageLatency)), "
          + "score \(Format.fixed(peer.score, 1))")
    }
  }

  /// What did not go as it should; nothing where all did.
  private func printTrouble(_ stats: DownloadStats) {
    if stats.retries > 0 || stats.hedges > 0 {
      Console.error(
        "[Stats] Retries: \(stats.retries), Hedges: \(stats.hedges), Duplicate bytes: \(stats.duplicateBytes)")
    }
    let failures = stats.peers.filter { $0.failures > 0 }.map { "\($0.peer.short) \($0.failures)" }
    if !failures.isEmpty { Console.error("[Stats] Failures: \(failures.joined(separator: ", "))") }
  }

  // MARK: Failure

  /// The failure as an exit code and what to do now.
  func failure(_ error: DownloadError, stop: StopSignal, fileID: FileID) -> Failure {
    switch error {
    case .storage(let error): Failure(error)
    case .listen(let address, let errno): Failure(errno, listen: address)
    case .system(let errno): Failure(Exit.ioError, "cannot start: \(errno)")
    case .otherLength(let expected, let actual): Failure(Exit.badData, Failure.wrongLink(says: expected, has: actual))
    case .failed(let failure, let stats, let part):
      self.failure(failure, stats, kept: part, stop: stop, fileID: fileID)
    }
  }

  private func failure(
    _ failure: DownloadFailure, _ stats: DownloadStats, kept: String?, stop: StopSignal, fileID: FileID
  ) -> Failure {
    let had = stats.downloadedChunks + stats.resumedChunks
    let resume =
      kept.map { "; \(had) of \(stats.totalChunks) chunks are kept in \($0): run the same command again to resume" }
      ?? ""
    switch failure {
    case .cancelled: return Failure(stop.exitCode, "interrupted\(resume)")
    case .unreachable: return Failure(Exit.unavailable, "no peer can be reached\(reasons)")
    case .notFound:
      return Failure(Exit.unavailable, "no peer has \(fileID.hex)\(reasons); check the ID, or name other peers")
    case .notAdmitted:
      return Failure(Exit.notAdmitted, "no peer admits this node\(reasons)")
    case .everyPeerLied:
      return Failure(Exit.badData, "every peer that has the file sent wrong data\(reasons); name others\(resume)")
    case .noPeers:
      if stats.totalChunks == 0 {
        let tried = search.map { ": \($0.words)" } ?? ""
        return Failure(
          Exit.unavailable,
          "no peer answered\(reasons)\(tried); name those that have the file \(KnownPeers.places)")
      }
      return Failure(Exit.tryAgain, "no peer is left\(reasons)\(resume)")
    case .outOfRetries(let chunk):
      let last = reasons(before: retried[chunk].map { "at last: \($0)" })
      return Failure(Exit.tryAgain, "chunk \(chunk.rawValue) failed after all its retries\(last)\(resume)")
    case .pageOutOfRetries:
      return Failure(Exit.tryAgain, "the chunk hashes could not be fetched\(reasons)\(resume)")
    case .storage: return Failure(Exit.ioError, "the disk failed\(resume)")
    }
  }

  /// What became of each peer, in parentheses.
  private var reasons: String { reasons(before: nil) }

  private func reasons(before first: String?) -> String {
    let addresses = ends.sorted { $0.key.description < $1.key.description }
      .map { "\($0.key): \(Console.escaped($0.value.description))" }
    let names = unresolved.map { "\($0.0): \($0.1)" }
    let all = (first.map { [$0] } ?? []) + names + addresses
    return all.isEmpty ? "" : " (\(all.joined(separator: "; ")))"
  }

  func failed(_ error: DownloadError, _ failure: Failure) {
    Console.endStatus()
    json?.failed(error, failure)
    if case .failed(_, let stats, _) = error { explain(stats) }
  }

  // MARK: Lines

  /// A line of the downloader's own.
  private func note(_ text: String) { line("[Downloader] " + text) }

  private func line(_ text: String) { if isPlain && !isQuiet { Console.error(text) } }

  /// The progress line: bar, share, speed, time left, peers.
  private static func screen(_ progress: DownloadProgress, name: String, length: UInt64) -> String {
    let share = progress.totalChunks == 0 ? 1 : Double(progress.finishedChunks) / Double(progress.totalChunks)
    let width = 20
    let filled = Int(share * Double(width))
    let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: width - filled)
    let left = (1 - share) * Double(length) / max(progress.bytesPerSecond, 1)
    let time = left < 100_000 && progress.bytesPerSecond > 0 ? "\(Format.fixed(left, 0))s left" : "-"
    return "[\(bar)] \(Format.fixed(share * 100, 0))% \(Format.speed(progress.bytesPerSecond)) \(time), "
      + "\(progress.livePeers) peers  \(name)"
  }
}
