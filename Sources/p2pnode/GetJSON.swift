// The JSON lines of `get`: stable names, sizes in bytes, times in seconds, PeerIDs in full.
import Node
import Transfer

extension JSONLine {
  init(_ progress: DownloadProgress) {
    self.init(event: "progress")
    set("chunks", progress.finishedChunks)
    set("totalChunks", progress.totalChunks)
    set("bytes", progress.bytes)
    set("bytesPerSecond", progress.bytesPerSecond)
    set("peers", progress.livePeers)
    set("workers", progress.workers)
  }

  /// Nil for a report that says nothing to a program.
  init?(_ report: DownloadReport, name: String) {
    switch report {
    case .started(let chunks, let peers):
      self.init(event: "start")
      set("name", name)
      set("totalChunks", chunks)
      set("peers", peers)
    case .usingWorkers(let count):
      self.init(event: "workers")
      set("count", count)
    case .chunkDone(let chunk, let worker, let finished, let total, let peer, let latency, let bytes):
      self.init(event: "chunk")
      set("chunk", chunk.rawValue)
      set("worker", worker)
      set("finished", finished)
      set("totalChunks", total)
      set("peer", peer.hex)
      set("latency", Format.seconds(latency))
      set("bytes", bytes)
    case .chunkRetry(let chunk, let peer, let reason, let attempt, let delay):
      self.init(event: "retry")
      set("chunk", chunk.rawValue)
      set("peer", peer.hex)
      set("reason", reason.words)
      set("attempt", attempt)
      set("delay", Format.seconds(delay))
    case .chunkFailed(let chunk, let peer):
      self.init(event: "chunkFailed")
      set("chunk", chunk.rawValue)
      set("peer", peer.hex)
    case .chunkHedged(let chunk, let peer, let second, let bytes):
      self.init(event: "hedge")
      set("chunk", chunk.rawValue)
      set("peer", peer.hex)
      set("second", second.hex)
      set("bytes", bytes)
    case .peerFailed(let peer, let failure):
      self.init(event: "failure")
      set("peer", peer.hex)
      set("reason", failure.words)
      if case .overtaken(let chunk) = failure { set("chunk", chunk.rawValue) }
    case .peerBanned(let peer):
      self.init(event: "ban")
      set("peer", peer.hex)
    case .peerJoined(let peer):
      self.init(event: "peer")
      set("peer", peer.hex)
    case .peerLost(let peer, let reason):
      self.init(event: "peerLost")
      set("peer", peer.hex)
      set("reason", "\(reason)")
    }
  }

  mutating func set(_ stats: DownloadStats) {
    set("totalChunks", stats.totalChunks)
    set("downloadedChunks", stats.downloadedChunks)
    set("resumedChunks", stats.resumedChunks)
    set("failedChunks", stats.failedChunks)
    set("bytes", stats.bytes)
    set("duplicateBytes", stats.duplicateBytes)
    set("uploadedBytes", stats.uploadedBytes)
    set("retries", stats.retries)
    set("hedges", stats.hedges)
    set("seconds", Format.seconds(stats.duration))
    set("bytesPerSecond", stats.bytesPerSecond)
    set(
      "peers",
      stats.peers.map { peer in
        var line = JSONLine()
        line.set("peer", peer.peer.hex)
        line.set("chunks", peer.chunks)
        line.set("bytes", peer.bytes)
        line.set("failures", peer.failures)
        line.set("averageLatency", Format.seconds(peer.averageLatency))
        line.set("score", peer.score)
        return line
      })
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

extension PeerFailure {
  /// The failure as people read it.
  var words: String {
    switch self {
    case .timeout: "timeout"
    case .connectionLost: "connection lost"
    case .overtaken: "overtaken"
    case .lie: "wrong data"
    }
  }
}

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
