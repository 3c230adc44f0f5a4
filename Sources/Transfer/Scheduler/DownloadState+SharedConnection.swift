// The clocks of requests whose connection also serves other downloads: answers come in the order of the requests of all.
import Content
import Wire

extension DownloadState {
  /// While the peer serves other downloads, the timeout of a request ends at most this many timeouts after the request
  /// became first in line. So a peer that serves another download for ever loses the request, and it does so before the
  /// download ends for lack of progress.
  private static let timeoutsWhileOthersServed = 3
  /// The same for the patience with a silent peer. An honest peer may send first what the pipeline of another download
  /// holds. A peer that trickles the bytes of another download must not keep a request that a better peer would answer.
  private static let patiencesWhileOthersServed = 3

  /// How much of a request's wait for its first byte is no silence of the peer, because it serves other downloads.
  private var othersMax: Duration { patience * (DownloadState.patiencesWhileOthersServed - 1) }

  /// Since when the first request in line has waited for its first byte, as far as the peer's silence counts. Nil if none
  /// waits or bytes came.
  func silentSince(_ id: ConnectionID) -> Instant? { connections.silentSince(id, othersMax: othersMax) }

  /// Since when the peer owes the answer to the first request in line, as far as its silence counts.
  func firstDueSince(_ id: ConnectionID) -> Instant? { connections.firstDueSince(id, othersMax: othersMax) }

  /// Since when the peer owes the answer to a request, as far as its silence counts. Nil if another request is before it.
  func dueSince(_ pending: PendingRequest) -> Instant? { pending.dueSince(othersMax: othersMax) }

  /// The peer serves another download on the connection. The time until now is no delay of the peer: the clock of the
  /// request that waits for its first byte starts again, and a page that is due gets more time. The peer has given this
  /// download nothing, so its score, its silence and all retries stay as they are.
  mutating func othersServed(on id: ConnectionID, at now: Instant) {
    if let asked = connections.pageAskedAt(id), mayWait(since: asked, at: now) {
      connections[existing: id].pageHeardAt = now
    }
    guard silentSince(id) != nil, let place = connections.firstInLine(on: id),
      let first = connections[existing: id].pending[place].firstInLineAt, mayWait(since: first, at: now)
    else { return }
    connections[existing: id].pending[place].started = now
    chunks.clockStarted(on: connections[existing: id].pending[place].chunk, at: now)
    startClock(id, at: now)
  }

  private func mayWait(since start: Instant, at now: Instant) -> Bool {
    now + settings.chunkTimeout <= start + settings.chunkTimeout * DownloadState.timeoutsWhileOthersServed
  }
}
