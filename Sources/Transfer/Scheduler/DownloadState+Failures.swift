// Requests that are late, lost or refused: what each failure costs the peer and the chunk.
import Content
import Wire

extension DownloadState {
  /// The shortest and longest pause after a peer answered BUSY.
  private static let busyMin: Duration = .milliseconds(50)
  private static let busyMax: Duration = .seconds(60)

  /// Handles the timeout of the first request in line: the peer has failed it, and other peers get the requests behind
  /// it.
  mutating func chunkTimedOut(_ id: ConnectionID, at now: Instant) {
    guard let connection = connections[id], let number = connection.peer, let first = connection.pending.first else {
      return
    }
    let others = connection.pending.dropFirst().filter { !$0.isEnded }
    connections[existing: id].pending.removeAll { pending in
      pending.id == first.id || others.contains { $0.id == pending.id }
    }
    connections[existing: id].isProven = false
    peers[number].isSilent = true
    if !first.isEnded { act(.cancel(id, first.id)) }
    failed(number, .timeout, at: now)
    for other in others {
      act(.cancel(id, other.id))
      chunks.drop(id, other.id, of: other.chunk)
    }
    startClock(id, at: now)
    requestFailed(first, on: id, by: number, .timeout, at: now)
  }

  /// Handles the loss of a connection: its first request in line has failed, and other peers get the rest.
  mutating func failAll(_ id: ConnectionID, _ reason: LossReason, at now: Instant) {
    guard let connection = connections[id], let number = connection.peer, !connection.pending.isEmpty else { return }
    connections[existing: id].pending = []
    timers.cancel(.chunk(id))
    failed(number, .connectionLost(reason), at: now)
    let first = connection.firstInLine.map { connection.pending[$0] }
    for pending in connection.pending where pending.id != first?.id { chunks.drop(id, pending.id, of: pending.chunk) }
    if let first { requestFailed(first, on: id, by: number, .connectionLost(reason), .left, at: now) }
  }

  /// Gives back all requests of a connection. No peer has failed.
  mutating func releaseAll(_ id: ConnectionID, at now: Instant) {
    guard let connection = connections[id] else { return }
    connections[existing: id].pending = []
    timers.cancel(.chunk(id))
    for pending in connection.pending { chunks.drop(id, pending.id, of: pending.chunk) }
    if let number = connection.peer {
      if let first = connection.firstInLine.map({ connection.pending[$0] }) {
        gaveBack(.chunk(first.chunk), by: number, since: first.started, at: now)
      }
      if let page = connection.page { gaveBack(.page(page), by: number, since: connection.pageAskedAt, at: now) }
    }
    if let worker = connection.peer.flatMap({ peers[$0].worker }) { workers[worker].failed = connection.peer }
  }

  private mutating func requestFailed(
    _ pending: PendingRequest, on id: ConnectionID, by number: Int, _ reason: RetryReason,
    _ how: FailureHistory.Failing = .failed, at now: Instant
  ) {
    chunks.drop(id, pending.id, of: pending.chunk)
    if chunks.has(pending.chunk) { return }
    attemptFailed(.chunk(pending.chunk), by: number, reason, how, at: now)
  }

  /// Counts a failure of a peer: lowers its score, and turns its worker to the next peer.
  mutating func failed(_ number: Int, _ failure: PeerFailure, at now: Instant) {
    changeScore(of: number) { $0.fail() }
    if peers[number].score.value == 0 { peers[number].probeAt = now + settings.chunkTimeout }
    count(failure, of: number)
    slowDown(number, at: now)
    if let worker = peers[number].worker { workers.turnAway(worker, from: number) }
  }

  /// Delays the requests to an address group when its strangers fail: the more failures, the longer the delay.
  private mutating func slowDown(_ number: Int, at now: Instant) {
    guard peers[number].isStranger, let group = peers[number].group else { return }
    pace.failed(group, at: now)
    if let until = pace.until(group), until > now { timers.set(.pace, at: min(timers[.pace] ?? until, until)) }
  }

  /// Returns whether a peer is a stranger in an address group that must wait after failures.
  func isPaced(_ number: Int) -> Bool {
    guard !pace.isEmpty, peers[number].isStranger, let group = peers[number].group else { return false }
    return pace.isWaiting(group)
  }

  /// Releases the address groups that can be asked again.
  mutating func paceEnded(at now: Instant) {
    if let next = pace.release(at: now) { timers.set(.pace, at: next) }
    chunks.reconsider()
  }

  /// Counts a failure in the peer's statistics, and reports it.
  mutating func count(_ failure: PeerFailure, of number: Int) {
    peers[number].tally.failures += 1
    act(.report(.peerFailed(peers[number].id, failure)))
  }

  mutating func changeScore(of number: Int, _ change: (inout PeerScore) -> Void) {
    peers.changeScore(of: number, change)
  }

  /// Handles BUSY: the peer gets no request for a while. BUSY costs neither score nor retry.
  mutating func busy(_ id: ConnectionID, _ request: RequestID, retryAfter: Duration, at now: Instant) {
    guard let (pending, number) = connections.modify(id, { $0.take(request) }) else { return }
    startClock(id, at: now)
    chunks.drop(id, request, of: pending.chunk)
    gaveBack(.chunk(pending.chunk), by: number, since: pending.started, at: now)
    peers[number].refusals.add(at: now)
    rest(number, until: now + min(max(retryAfter, DownloadState.busyMin), DownloadState.busyMax))
    if let worker = peers[number].worker { workers.turnAway(worker, from: number) }
    noteRefusals(of: number, at: now)
    // A round does not wait for a peer that only refuses, and this peer may have been the last of the round.
    settleRound(of: .chunk(pending.chunk), at: now)
    if phase != .ended { updateUsability(at: now) }
  }

  /// Stops rounds from waiting for a peer that answered only BUSY for one timeout.
  private mutating func noteRefusals(of number: Int, at now: Instant) {
    let (countMax, time) = (settings.maxRetries, settings.chunkTimeout)
    if peers[number].refusals.becomeLasting(countMax: countMax, time: time, at: now) { settleRounds(at: now) }
  }

  mutating func rest(_ number: Int, until end: Instant) {
    let end = max(end, peers[number].busyUntil ?? end)
    peers[number].busyUntil = end
    timers.set(.busyEnds(number), at: end)
    // Other peers can now be asked for chunks that this peer had precedence for.
    if !rounds.isEmpty { chunks.reconsider() }
  }

  mutating func busyEnded(_ number: Int) {
    peers[number].busyUntil = nil
    peers[number].exhaustedAt = 0
  }
}
