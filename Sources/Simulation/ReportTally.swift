// Adds up a download's reports. The sums must equal its final statistics.
import Content
import Transfer
import Wire

/// Counts the reports of one download.
struct ReportTally {
  private var chunks = 0
  private var bytes: UInt64 = 0
  private var chunksByPeer: [PeerID: Int] = [:]
  private var failuresByPeer: [PeerID: Int] = [:]
  private var retries = 0
  private var failedChunks = 0
  private var hedges = 0
  private var hedgesByPeer: [PeerID: Int] = [:]
  private var bans: Set<PeerID> = []

  mutating func add(_ report: DownloadReport) {
    switch report {
    case .chunkDone(_, _, _, _, let peer, _, let bytes):
      chunks += 1
      self.bytes += UInt64(bytes)
      chunksByPeer[peer, default: 0] += 1
    case .chunkRetry: retries += 1
    case .chunkFailed: failedChunks += 1
    case .chunkHedged(_, _, let second, _):
      hedges += 1
      hedgesByPeer[second, default: 0] += 1
    case .peerFailed(let peer, _): failuresByPeer[peer, default: 0] += 1
    case .peerBanned(let peer): bans.insert(peer)
    case .started, .usingWorkers, .peerJoined, .peerLost: break
    }
  }

  /// Returns the first difference between the sums and the statistics. Nil if there is none.
  func difference(from stats: DownloadStats) -> String? {
    if chunks != stats.downloadedChunks { return "\(chunks) chunks are reported, not \(stats.downloadedChunks)" }
    let isWhole = stats.downloadedChunks + stats.resumedChunks == stats.totalChunks
    if isWhole ? bytes != stats.bytes : bytes > stats.bytes { return "\(bytes) bytes are reported, not \(stats.bytes)" }
    if retries != stats.retries { return "\(retries) retries are reported, not \(stats.retries)" }
    if failedChunks != stats.failedChunks { return "\(failedChunks) failed chunks are reported" }
    if hedges != stats.hedges { return "\(hedges) hedges are reported, not \(stats.hedges)" }
    for peer in stats.peers {
      if chunksByPeer[peer.peer, default: 0] != peer.chunks { return "the chunks of \(peer.peer) do not add up" }
      if failuresByPeer[peer.peer, default: 0] != peer.failures { return "the failures of \(peer.peer) do not add up" }
      if hedgesByPeer[peer.peer, default: 0] != peer.hedges { return "the hedges of \(peer.peer) do not add up" }
      if bans.contains(peer.peer) != peer.isBanned { return "a ban of \(peer.peer) is not reported" }
    }
    return nil
  }
}
