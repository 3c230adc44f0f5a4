// The JSON lines of `get`: stable names, sizes in bytes, times in seconds, full PeerIDs. See docs/json-events.md.
import Content
import PeerNode
import Posix
import Storage
import Transfer
import Wire

/// Prints one object for each event on stdout.
final class GetJSON: DownloadObserver {
  private var name = ""
  private var length: UInt64 = 0
  private var hasStayed = false
  private var hasPlanned = false
  private var waits = WaitEvents()
  private let explains: Explaining?
  /// The ID that each event names if there are several downloads. Otherwise nil.
  private let fileID: FileID?

  /// - `fileID`: the ID, for one of several downloads. Nil: there is only one.
  init(explains: Explaining?, fileID: FileID? = nil) { (self.explains, self.fileID) = (explains, fileID) }

  func see(_ update: DownloadUpdate) {
    switch update {
    case .listing(let length): emit("listing") { $0.set("bytes", length) }
    case .planned(let plan):
      hasPlanned = true
      for line in JSONLine.lines(of: plan) { output(line) }
    case .prepared(let name, let length): (self.name, self.length) = (name, length)
    case .files(let files):
      for file in files {
        emit("fileDone") { line in
          line.set("path", file.path)
          line.set("bytes", file.byteCount)
          if let place = file.place { line.set("place", place) }
        }
      }
    case .report(let report): output(line(for: report))
    case .progress(let progress): output(JSONLine(progress))
    case .waiting(let wait): if let line = waits.line(for: wait) { output(line) }
    case .listening(let address): emit("listening") { $0.set("address", address.description) }
    case .resumed(let chunks, let bytes):
      emit("resumed") { line in
        line.set("chunks", chunks)
        line.set("bytes", bytes)
      }
    case .found(let path): emit("found") { $0.set("path", path) }
    case .resolved: break  // each address appears when something happens with it
    case .unresolved(let source, let reason):
      emit("unresolved") { line in
        line.set("name", "\(source)")
        line.set("reason", reason)
      }
    case .searched(let summary):
      emit("searched") { line in
        line.set("localNodes", summary.localNodes)
        line.set("interfaces", (summary.interfaces ?? []).joined(separator: ","))
      }
    case .peerEnded(let address, let peer, let end):
      emit("connectionEnded") { line in
        line.set("address", address.description)
        if let peer { line.set("peer", peer.hex) }
        line.set("reason", end.description)
      }
    case .staying(let result):
      done(result)
      hasStayed = true
    case .unreadable(let error): emit("unreadable") { $0.set("reason", error.description) }
    }
  }

  func leftOut(connectionEnds count: Int) { emit("connectionsEnded") { $0.set("count", count) } }

  func ended(_ result: DownloadResult) {
    if hasPlanned { return }
    if hasStayed {
      emit("stopped") { $0.set("uploadedBytes", result.stats.uploadedBytes) }
    } else {
      done(result)
    }
  }

  private func done(_ result: DownloadResult) {
    emit("done") { line in
      if let path = result.path { line.set("path", path) }
      line.set("found", result.wasFound)
      line.set(result.stats)
    }
    explain(result.stats)
  }

  func failed(_ error: DownloadError, _ failure: Failure) {
    var line = JSONLine(event: "failed")
    line.set("code", failure.code)
    line.set("message", failure.message)
    guard case .failed(let reason, let stats, let part) = error else {
      line.set("reason", error.word)
      return output(line)
    }
    line.set("reason", reason.word)
    if let part { line.set("part", part) }
    line.set(stats)
    output(line)
    explain(stats)
  }

  func failedBeforeStart(_ failure: Failure) {
    emit("failed") { line in
      line.set("code", failure.code)
      line.set("message", failure.message)
    }
  }

  private func explain(_ stats: DownloadStats) {
    if let explains { output(explains.explanation(of: stats).json) }
  }

  private func emit(_ event: String, _ fill: (inout JSONLine) -> Void) {
    var line = JSONLine(event: event)
    fill(&line)
    output(line)
  }

  private func output(_ line: JSONLine) {
    var line = line
    if let fileID { line.set("id", fileID.hex) }
    Console.output(line.finished)
  }

  private func line(for report: DownloadReport) -> JSONLine {
    switch report {
    case .started(let chunks, let peers):
      var line = JSONLine(event: "start")
      line.set("name", name)
      line.set("length", length)
      line.set("totalChunks", chunks)
      line.set("peers", peers)
      return line
    case .usingWorkers(let count):
      var line = JSONLine(event: "workers")
      line.set("count", count)
      return line
    case .chunkDone(let chunk, let worker, let finished, let total, let peer, let latency, let bytes):
      var line = JSONLine("chunk", chunk, peer)
      line.set("worker", worker)
      line.set("finished", finished)
      line.set("totalChunks", total)
      line.set("latency", Format.seconds(latency))
      line.set("bytes", bytes)
      return line
    case .chunkRetry(let chunk, let peer, let reason, let attempt, let delay):
      var line = JSONLine("retry", chunk, peer)
      line.set("reason", reason.words)
      line.set("attempt", attempt)
      line.set("delay", Format.seconds(delay))
      return line
    case .chunkFailed(let chunk, let peer): return JSONLine("chunkFailed", chunk, peer)
    case .chunkHedged(let chunk, let peer, let second, let bytes):
      var line = JSONLine("hedge", chunk, peer)
      line.set("second", second.hex)
      line.set("bytes", bytes)
      return line
    case .peerFailed(let peer, let failure):
      var line = JSONLine("failure", peer)
      line.set("reason", failure.words)
      if case .overtaken(let chunk) = failure { line.set("chunk", chunk.rawValue) }
      return line
    case .peerBanned(let peer): return JSONLine("ban", peer)
    case .peerJoined(let peer): return JSONLine("peer", peer)
    case .peerLost(let peer, let reason):
      var line = JSONLine("peerLost", peer)
      line.set("reason", reason.words)
      return line
    }
  }
}

extension JSONLine {
  fileprivate init(_ event: String, _ peer: PeerID) {
    self.init(event: event)
    set("peer", peer.hex)
  }

  fileprivate init(_ event: String, _ chunk: ChunkIndex, _ peer: PeerID) {
    self.init(event: event)
    set("chunk", chunk.rawValue)
    set("peer", peer.hex)
  }

  fileprivate init(_ progress: DownloadProgress) {
    self.init(event: "progress")
    set("chunks", progress.finishedChunks)
    set("totalChunks", progress.totalChunks)
    if let folder = progress.folder {
      set("files", folder.completeFiles)
      set("totalFiles", folder.totalFiles)
    }
    set("bytes", progress.bytes)
    set("bytesPerSecond", progress.bytesPerSecond)
    set("peers", progress.livePeers)
    set("workers", progress.workers)
    if let time = progress.givesUpIn { set("givesUpIn", Format.seconds(time)) }
  }

  fileprivate mutating func set(_ stats: DownloadStats) {
    set("totalChunks", stats.totalChunks)
    set("downloadedChunks", stats.downloadedChunks)
    set("resumedChunks", stats.resumedChunks)
    set("failedChunks", stats.failedChunks)
    set("bytes", stats.bytes)
    set("duplicateBytes", stats.duplicateBytes)
    set("gapBytes", stats.gapBytes)
    set("uploadedBytes", stats.uploadedBytes)
    if let zones = stats.zones { set("zoneBytes", JSONLine(zones)) }
    set("retries", stats.retries)
    set("hedges", stats.hedges)
    set("seconds", Format.seconds(stats.duration))
    set("bytesPerSecond", stats.bytesPerSecond)
    set(
      "peers",
      stats.peers.map { peer in
        var line = JSONLine()
        line.set("peer", peer.peer.hex)
        if let address = peer.address {
          line.set("address", Endpoint(address).description)
        }
        line.set("chunks", peer.chunks)
        line.set("bytes", peer.bytes)
        line.set("failures", peer.failures)
        line.set("hedges", peer.hedges)
        line.set("banned", peer.isBanned)
        line.set("averageLatency", Format.seconds(peer.averageLatency))
        line.set("score", peer.score)
        return line
      })
    if stats.pastPeers.count > 0 { set("otherPeers", JSONLine(stats.pastPeers)) }
  }

  private init(_ zones: ZoneBytes) {
    self.init()
    set("own", zones.own)
    set("other", zones.other)
    set("unknown", zones.unknown)
  }

  /// The sums over peers. A mean of their scores would have no meaning.
  private init(_ peers: PastPeersStats) {
    self.init()
    set("count", peers.count)
    set("chunks", peers.chunks)
    set("bytes", peers.bytes)
    set("failures", peers.failures)
    set("hedges", peers.hedges)
    set("banned", peers.banned)
    set("averageLatency", Format.seconds(peers.times.averageLatency))
  }
}

extension PeerLossReason {
  /// The reason as people read it.
  var words: String {
    switch self {
    case .withdrawn: "the file is no longer offered"
    case .connection(let reason): reason.words
    }
  }
}

extension LossReason {
  /// The reason as people read it.
  var words: String {
    switch self {
    case .closed: "closed"
    case .reset: "reset"
    case .truncated: "ended within a message"
    case .stalled: "stalled"
    case .idle: "idle"
    case .violation: "broke the protocol"
    case .goodbye(let code): "goodbye \(code)"
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
