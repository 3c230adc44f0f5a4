// Requests under a download limit: when one may be sent, and how much it asks for.
import Content
import Wire

extension DownloadState {
  /// An answer whose first byte has been due for this long does not count as on its way: it would hold up other peers.
  private static let hangingTime = Duration.seconds(1)
  /// Of each peer's requests, at most the bytes of this many seconds at its measured rate count as on their way.
  private static let arrivalSeconds = 0.5

  /// Returns whether the download limit allows a request now. If not, sets a timer for when it does.
  mutating func mayAsk(at now: Instant) -> Bool {
    guard requestPace.isLimited else { return true }
    guard let next = requestPace.wait(inFlight: bytesOnTheWay(at: now), at: now) else { return true }
    timers.set(.limit, at: next)
    return false
  }

  /// Returns the first leaves of a run, as many as one request may ask for under the limit.
  /// - `available`: the leaves that the peer has.
  func paced(_ run: LeafRange, of chunk: ChunkIndex, in available: UInt64 = .max) -> LeafRange {
    guard requestPace.isLimited, chunks.layout.length(of: run, in: chunk) > requestPace.requestBytesMax else {
      return run
    }
    let count = min(run.count, max(1, requestPace.requestBytesMax / chunks.layout.leafSize))
    let first = LeafRange(first: run.first, count: count)
    return chunks.missingSpan(of: chunk, in: first.mask & available) ?? first
  }

  /// Notes, for the node's other downloads, how many bytes are on their way to this one.
  mutating func noteOnTheWay(at now: Instant) {
    if requestPace.isLimited { requestPace.note(inFlight: bytesOnTheWay(at: now)) }
  }

  /// Returns the requested bytes that may arrive soon.
  private func bytesOnTheWay(at now: Instant) -> Int {
    var bytes = 0
    for number in workers.live {
      guard let id = peers[number].connection, connections.pendingCount(of: id) > 0 else { continue }
      if let since = silentSince(id), now - since >= DownloadState.hangingTime { continue }
      let due = connections[existing: id].pending.reduce(0) { sum, pending in
        pending.isEnded ? sum : sum + max(0, countedBytes(of: pending.leaves, in: pending.chunk) - arrived(of: pending))
      }
      let most = peers[number].score.throughput.map { min($0 * DownloadState.arrivalSeconds, 1e12) }
      bytes += min(due, most.map { max(Int($0), chunks.layout.leafSize) } ?? due)
    }
    return bytes
  }
}
