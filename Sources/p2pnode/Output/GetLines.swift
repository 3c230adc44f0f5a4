// The plain lines of `get` for scripts and logs: one for each event.
import Content
import PeerNode
import Posix
import Transfer

final class GetLines: DownloadObserver {
  private let isVerbose: Bool
  /// The start of each line.
  private let prefix: String
  private var shownName = ""
  private var wasFound = false
  private var pace = WaitPace()

  init(isVerbose: Bool, prefix: String = "") { (self.isVerbose, self.prefix) = (isVerbose, prefix) }

  func see(_ update: DownloadUpdate) {
    switch update {
    case .listing(let length): note("It is a folder: fetching its listing (\(Format.size(length)))")
    case .prepared(let name, _): shownName = Console.escaped(name)
    case .report(let report): if !wasFound { print(report) }
    case .unresolved(let source, let reason): note("Peer \(source): \(reason); the name is looked up again")
    case .resolved(let source, let addresses):
      if !addresses.isEmpty { note("Peer \(source) is \(addresses.map(\.description).joined(separator: ", "))") }
    case .peerEnded(let address, let peer, let end):
      note("Peer \(peer.map { "\($0.short) at " } ?? "")\(address): \(Console.escaped(end.description))")
    case .found(let path):
      wasFound = true
      note("Already complete: \(Console.escaped(path))")
    case .resumed(let chunks, _): note("Resumed: \(Format.count(chunks, "chunk was", "chunks were")) here already")
    case .listening(let address): if isVerbose { note("Listening on \(address)") }
    case .waiting(let wait): if let wait, pace.isDue(wait) { note(wait.sentence) }
    case .planned, .files, .progress, .searched, .staying, .unreadable: break
    }
  }

  func leftOut(connectionEnds count: Int) { note("\(Format.count(count, "more connection")) ended") }

  func ended(_ result: DownloadResult) {
    if isVerbose { note("Uploaded: \(result.stats.uploadedBytes) bytes") }
  }

  func failed(_ error: DownloadError, _ failure: Failure) {}

  private func print(_ report: DownloadReport) {
    switch report {
    case .started(let chunks, let peers):
      note("Starting parallel download: \(shownName) (\(chunks) chunks from \(peers) peers)")
    case .usingWorkers(let count): note("Using \(count) parallel workers")
    case .chunkDone(_, let worker, let finished, let total, let peer, let latency, _):
      guard isVerbose || ChunkLines.isShown(finished, of: total) else { return }
      let percent = Format.fixed(Double(finished) / Double(max(1, total)) * 100, 1)
      line(
        "[Worker \(worker)] Chunk \(finished)/\(total) (\(percent)%) from \(peer.short) in \(Format.milliseconds(latency))"
      )
    case .chunkRetry(let chunk, let peer, let reason, let attempt, let delay):
      line(
        "[Retry] Chunk \(chunk.rawValue) from \(peer.short): \(reason.words); retry \(attempt) in "
          + "\(Format.fixed(Format.seconds(delay), 1))s")
    case .peerBanned(let peer): note("Peer \(peer.short) is banned: it sent wrong data")
    // Reported at the end, or when the connection ends.
    case .chunkFailed, .chunkHedged, .peerFailed, .peerJoined, .peerLost: break
    }
  }

  /// Prints a line of the downloader itself.
  private func note(_ text: String) { line("[Downloader] " + text) }

  private func line(_ text: String) { Console.error(prefix + text) }
}
