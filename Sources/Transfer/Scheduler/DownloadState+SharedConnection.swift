// The clocks of requests on a connection that also serves other downloads. Answers come in the order of all requests.
import Content
import Wire

extension DownloadState {
  /// While the peer serves other downloads, a request times out at most this many timeouts after it became first in
  /// line. So a peer that serves another download for ever loses the request, before the download ends for lack of
  /// progress.
  private static let timeoutsWhileOthersServed = 3
  /// The same limit for the patience with a silent peer. An honest peer may first answer the requests in the pipeline
  /// of another download. But a peer that trickles bytes of another download must not keep a request that a better peer
  /// would answer.
  private static let patiencesWhileOthersServed = 3

  /// How much of a request's wait for its first byte does not count as silence, because the peer serves other
  /// downloads.
  private var othersMax: Duration { patience * (DownloadState.patiencesWhileOthersServed - 1) }

  /// Returns since when the peer has been silent about the first request in line. Nil if none waits or bytes came.
  func silentSince(_ id: ConnectionID) -> Instant? { connections.silentSince(id, othersMax: othersMax) }

  /// Returns since when the answer to the first request in line is due, to judge the peer's silence.
  func firstDueSince(_ id: ConnectionID) -> Instant? { connections.firstDueSince(id, othersMax: othersMax) }

  /// Returns since when the answer to a request is due, to judge the peer's silence. Nil if another request comes
  /// first.
  func dueSince(_ pending: PendingRequest) -> Instant? { pending.dueSince(othersMax: othersMax) }

  /// Notes that the peer serves another download on the connection. The peer is not blamed for the time until now: the
  /// clock of the request that waits for its first byte starts again, and a page that is due gets more time. The peer
  /// has sent this download nothing, so its score, its silence and all retries stay as they are.
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
