// What `print` shows of a report: a line each.
import Wire

extension DownloadReport: CustomStringConvertible {
  public var description: String {
    switch self {
    case .started(let chunks, let peers): "started: chunks \(chunks), peers \(peers)"
    case .usingWorkers(let count): "workers: \(count)"
    case .chunkDone(let chunk, let worker, let finished, let total, let peer, let latency, _):
      "worker \(worker): chunk \(chunk.rawValue) from \(peer.short) in \(latency), \(finished) of \(total)"
    case .chunkRetry(let chunk, let peer, let reason, let attempt, let delay):
      "chunk \(chunk.rawValue) from \(peer.short): \(reason), retry \(attempt) in \(delay)"
    case .chunkFailed(let chunk, let peer): "chunk \(chunk.rawValue) from \(peer.short): out of retries"
    case .chunkHedged(let chunk, let peer, let second, let bytes):
      "chunk \(chunk.rawValue) is late from \(peer.short): \(second.short) is asked for \(bytes) bytes of it"
    case .peerFailed(let peer, let failure): "\(peer.short): \(failure)"
    case .peerBanned(let peer): "\(peer.short): banned, it sent wrong data"
    case .peerJoined(let peer): "\(peer.short): has the content, or some of it"
    case .peerLost(let peer, let reason): "\(peer.short): no longer serves, \(reason)"
    }
  }
}

extension RetryReason: CustomStringConvertible {
  public var description: String {
    switch self {
    case .timeout: "timeout"
    case .connectionLost(let reason): "connection lost (\(reason))"
    }
  }
}

extension PeerFailure: CustomStringConvertible {
  public var description: String {
    switch self {
    case .timeout: "timeout"
    case .connectionLost(let reason): "connection lost (\(reason))"
    case .overtaken(let chunk): "another peer was faster with chunk \(chunk.rawValue)"
    case .lie: "wrong data"
    }
  }
}

extension PeerLossReason: CustomStringConvertible {
  public var description: String {
    switch self {
    case .connection(let reason): "connection lost (\(reason))"
    case .withdrawn: "the file is no longer offered"
    }
  }
}
