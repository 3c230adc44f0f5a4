// `get --explain`: explains the speed of a download, in words and as JSON.
import Content
import Transfer
import Wire

extension DownloadExplanation {
  /// The lines for people.
  var lines: [String] {
    var lines = [
      "[Explain] Peers (share, chunks; of an answer's time: in line + first byte + transfer + check + write):"
    ]
    lines += stats.peers.map { "  - \(words(of: $0))" }
    if !stats.workers.isEmpty { lines.append("[Explain] Workers waited for:") }
    lines += stats.workers.enumerated().map { "  - \($0.offset): \($0.element.words)" }
    if let best, let bestAlone, stats.duration > .zero {
      let ratio = Format.fixed(Format.seconds(bestAlone) / Format.seconds(stats.duration), 1)
      lines.append(
        "[Explain] The best peer alone (\(best.peer.short), \(Format.rate(best.bytesPerSecond))): "
          + "\(Format.fixed(Format.seconds(bestAlone), 1))s, \(ratio) times as long")
    }
    if limits.isEmpty { lines.append("[Explain] Nothing was fetched") }
    return lines + limits.map { "[Explain] \($0.words)" }
  }

  private func words(of peer: PeerDownloadStats) -> String {
    var words = "\(peer.peer.short): \(percent(share(of: peer))), \(Format.count(peer.chunks, "chunk"))"
    let times = peer.times
    if times.answers > 0 {
      let parts = [times.queue, times.firstByte, times.transfer, times.verification, times.writing]
      words += "; \(parts.map { Format.milliseconds($0 / times.answers) }.joined(separator: " + "))"
    }
    if peer.bytesPerSecond > 0 { words += "; sends at \(Format.rate(peer.bytesPerSecond))" }
    if peer.hedges > 0 { words += "; helped out \(Format.count(peer.hedges, "time"))" }
    if peer.hedged > 0 { words += "; was helped out \(Format.count(peer.hedged, "time"))" }
    if peer.failures > 0 { words += "; failed \(Format.count(peer.failures, "time"))" }
    return peer.isBanned ? words + "; banned: it sent wrong data" : words
  }

  /// The object for programs.
  var json: JSONLine {
    var line = JSONLine(event: "explain")
    line.set("peers", stats.peers.map(json))
    line.set(
      "workers",
      stats.workers.enumerated().map { number, waits in
        var line = JSONLine()
        line.set("worker", number)
        for wait in WorkerWait.allCases { line.set(wait.word, Format.seconds(waits[wait])) }
        return line
      })
    if let best, let bestAlone {
      line.set("bestPeer", best.peer.hex)
      line.set("bestPeerAlone", Format.seconds(bestAlone))
    }
    line.set(
      "limits",
      limits.map { limit in
        var line = JSONLine()
        line.set("limit", limit.word)
        line.set("text", limit.words)
        return line
      })
    return line
  }

  private func json(of peer: PeerDownloadStats) -> JSONLine {
    var line = JSONLine()
    line.set("peer", peer.peer.hex)
    line.set("share", share(of: peer))
    line.set("answers", peer.times.answers)
    line.set("queue", Format.seconds(peer.times.queue))
    line.set("firstByte", Format.seconds(peer.times.firstByte))
    line.set("transfer", Format.seconds(peer.times.transfer))
    line.set("verification", Format.seconds(peer.times.verification))
    line.set("writing", Format.seconds(peer.times.writing))
    line.set("bytesPerSecond", peer.bytesPerSecond)
    line.set("hedges", peer.hedges)
    line.set("hedged", peer.hedged)
    line.set("banned", peer.isBanned)
    return line
  }
}

private func percent(_ part: Double) -> String { Format.fixed(part * 100, 1) + "%" }

extension WorkerWaits {
  /// The waits that took at least a hundredth of the time, the longest first.
  fileprivate var words: String {
    guard total > .zero else { return "nothing: it did not run" }
    let parts = WorkerWait.allCases.map { ($0, Format.seconds(self[$0]) / Format.seconds(total)) }
      .filter { $0.1 >= 0.01 }.sorted { $0.1 > $1.1 }
    let named = parts.map { "\($0.0.words) \(percent($0.1)) (\(Format.fixed(Format.seconds(self[$0.0]), 1))s)" }
    return named.joined(separator: ", ")
  }
}

extension WorkerWait {
  /// The name for programs.
  var word: String {
    switch self {
    case .answers: "answers"
    case .hashes: "hashes"
    case .peers: "peers"
    case .busyPeers: "busyPeers"
    case .retry: "retry"
    case .reader: "reader"
    case .holders: "holders"
    case .others: "others"
    }
  }

  fileprivate var words: String {
    switch self {
    case .answers: "answers"
    case .hashes: "chunk hashes"
    case .peers: "a peer"
    case .busyPeers: "busy peers"
    case .retry: "the retry delay"
    case .reader: "the reader of the stream"
    case .holders: "a peer that has the rest"
    case .others: "the last chunks of other workers"
    }
  }
}

extension DownloadLimit {
  /// The name for programs.
  var word: String {
    switch self {
    case .start: "start"
    case .network: "network"
    case .roundTrips: "roundTrips"
    case .disk: "disk"
    case .workers: "workers"
    case .retries: "retries"
    case .busyPeers: "busyPeers"
    case .hashes: "hashes"
    case .reader: "reader"
    case .holders: "holders"
    case .ending: "ending"
    case .slowPeers: "slowPeers"
    case .setting: "downloadLimit"
    case .failingPeers: "failingPeers"
    }
  }

  /// What limited the download, and what would have made it faster.
  var words: String {
    switch self {
    case .start(let part):
      "\(percent(part)) of the time passed before the first request for a chunk: faster with peers that answer sooner"
    case .network(let part):
      "\(percent(part)) of the workers' time was data transfer: faster with more peers, or a faster link"
    case .roundTrips(let part):
      "\(percent(part)) of the workers' time was waiting for the first byte of answers: faster with peers that are nearer, or idle"
    case .disk(let part):
      "\(percent(part)) of the answers' time was hashing and writing: faster with a faster disk, or more cores"
    case .workers(let peers):
      "all workers were busy, and there \(peers == 1 ? "was" : "were") \(Format.count(peers, "peer")): faster with --workers \(min(peers, 1024))"
    case .retries(let part):
      "\(percent(part)) of the workers' time was waiting for retries: faster without the peers that failed"
    case .busyPeers(let part):
      "\(percent(part)) of the workers' time was waiting for busy peers: faster with more peers"
    case .hashes(let part):
      "\(percent(part)) of the workers' time was waiting for chunk hashes: faster with peers that are nearer"
    case .reader(let part):
      "\(percent(part)) of the workers' time was waiting for the reader of the stream: faster into a file (-o PATH)"
    case .holders(let part):
      "\(percent(part)) of the workers' time no free peer had a missing chunk: faster with more peers that have the whole file"
    case .ending(let part):
      "\(percent(part)) of the workers' time no chunk was left to request: the file is small for so many peers"
    case .slowPeers(let peers):
      "\(DownloadLimit.names(peers)) sent at less than a quarter of the best peer's rate: other peers did their work"
    case .setting(let limit):
      "The download limit of \(Format.speed(Double(limit))) was reached: faster with a higher --download-limit"
    case .failingPeers(let peers):
      "\(DownloadLimit.names(peers)) failed or sent wrong data: faster without them"
    }
  }

  private static func names(_ peers: [PeerID]) -> String {
    let shown = peers.prefix(8).map(\.short).joined(separator: ", ")
    return peers.count > 8 ? "\(shown) and \(peers.count - 8) more" : shown
  }
}
