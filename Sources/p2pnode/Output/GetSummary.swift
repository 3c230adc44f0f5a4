// Prints the statistics at the end of `get`.
import CommandSettings
import PeerNode
import Transfer

final class GetSummary: DownloadObserver {
  /// Whether every event was printed as a line. Then it is not repeated here.
  private let isPlain: Bool
  /// Whether to print one line only, because other downloads go on.
  private let isShort: Bool
  /// The start of each line.
  private let prefix: String
  /// Explains the figures. Nil: no explanation.
  private let explains: Explaining?
  private let stays: Stay?
  private var hasStayed = false

  init(isPlain: Bool, isShort: Bool = false, explains: Explaining?, stays: Stay?, prefix: String = "") {
    (self.isPlain, self.isShort, self.explains, self.stays) = (isPlain, isShort, explains, stays)
    self.prefix = prefix
  }

  func see(_ update: DownloadUpdate) {
    guard case .staying(let result) = update else { return }
    done(result)
    hasStayed = true
    let name = Console.escaped(result.name)
    if let stays, case .seconds = stays {
      line("[Downloader] Still serving \(name) for \(stays); end it sooner with Ctrl-C")
    } else {
      line("[Downloader] Still serving \(name); end it with Ctrl-C")
    }
  }

  func ended(_ result: DownloadResult) { if !hasStayed { done(result) } }

  func failed(_ error: DownloadError, _ failure: Failure) {
    if case .failed(_, let stats, _) = error { explain(stats) }
  }

  private func done(_ result: DownloadResult) {
    if result.wasFound {
      if !isPlain { line("[Downloader] Already complete: \(Console.escaped(result.path ?? ""))") }
      return
    }
    if !isShort { print(result.stats, name: result.name) }
    let speed = Format.speed(result.stats.bytesPerSecond)
    line("[Downloader] Download complete: \(Console.escaped(result.name)) (\(speed))")
    explain(result.stats)
  }

  private func explain(_ stats: DownloadStats) {
    guard let explains else { return }
    for text in explains.explanation(of: stats).lines { line(text) }
  }

  private func line(_ text: String) { Console.error(prefix + text) }

  private func print(_ stats: DownloadStats, name: String) {
    line("[Stats] File: \(Console.escaped(name))")
    line(
      "[Stats] Total chunks: \(stats.totalChunks), Downloaded: \(stats.downloadedChunks), Failed: \(stats.failedChunks)"
    )
    line(
      "[Stats] Bytes: \(stats.bytes), Duration: \(Format.fixed(Format.seconds(stats.duration), 1))s, "
        + "Speed: \(Format.speed(stats.bytesPerSecond))")
    if stats.resumedChunks > 0, !isPlain {
      line("[Stats] Resumed: \(Format.count(stats.resumedChunks, "chunk was", "chunks were")) here already")
    }
    if let zones = stats.zones {
      line("[Stats] Bytes by zone: \(zones.own) own, \(zones.other) other, \(zones.unknown) unknown")
    }
    printTrouble(stats)
    line("[Stats] Peer performance:")
    for peer in stats.peers {
      line(
        "  - \(peer.peer.short): \(peer.chunks) chunks, avg latency \(Format.milliseconds(peer.averageLatency)), "
          + "score \(Format.fixed(peer.score, 1))")
    }
    let others = stats.pastPeers
    guard others.count > 0 else { return }
    line(
      "[Stats] Other peers: \(others.count) (\(Format.count(others.chunks, "chunk")), \(others.bytes) bytes, "
        + "\(Format.count(others.failures, "failure")), \(others.banned) banned)")
  }

  /// Prints retries and failures. Prints nothing if there were none.
  private func printTrouble(_ stats: DownloadStats) {
    if stats.retries > 0 || stats.hedges > 0 {
      line(
        "[Stats] Retries: \(stats.retries), Hedges: \(stats.hedges), Duplicate bytes: \(stats.duplicateBytes)")
    }
    let failures = stats.peers.filter { $0.failures > 0 }.map { "\($0.peer.short) \($0.failures)" }
    if !failures.isEmpty { line("[Stats] Failures: \(failures.joined(separator: ", "))") }
  }
}
