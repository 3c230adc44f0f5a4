// What goes wrong with a request: late, lost, refused; and what each costs whom.
import Content
import Wire

extension DownloadState {
  /// A peer that answered BUSY is left alone for at least and at most this long.
  private static let busyMin: Duration = .milliseconds(50)
  private static let busyMax: Duration = .seconds(60)

  /// The first in line was not verified in time: it spends a retry, and what was behind it goes to others.
  mutating func chunkTimedOut(_ id: ConnectionID, at now: Instant) {
    guard let link = links[id], let number = link.peer, let first = link.pending.first else { return }
    let others = link.pending.dropFirst().filter { !$0.isEnded }
    links[id]!.pending.removeAll { pending in pending.id == first.id || others.contains { $0.id == pending.id } }
    links[id]!.isProven = false
    if !first.isEnded { act(.cancel(id, first.id)) }
    failed(number, .timeout, at: now)
    for other in others {
      act(.cancel(id, other.id))
      chunks.drop(id, other.id, of: other.chunk)
    }
    startClock(id, at: now)
    spendRetry(of: first, on: id, by: number, .timeout, at: now)
  }

  /// The connection is lost: the first in line spends a retry, the rest goes to others.
  mutating func failAll(_ id: ConnectionID, _ reason: LossReason, at now: Instant) {
    guard let link = links[id], let number = link.peer, !link.pending.isEmpty else { return }
    links[id]!.pending = []
    timers.cancel(.chunk(id))
    failed(number, .connectionLost(reason), at: now)
    let first = link.firstInLine.map { link.pending[$0] }
    for pending in link.pending where pending.id != first?.id { chunks.drop(id, pending.id, of: pending.chunk) }
    if let first { spendRetry(of: first, on: id, by: number, .connectionLost(reason), at: now) }
  }

  /// Gives back all that a connection was asked for; nobody's failure.
  mutating func releaseAll(_ id: ConnectionID, at now: Instant) {
    guard let link = links[id] else { return }
    links[id]!.pending = []
    timers.cancel(.chunk(id))
    for pending in link.pending { chunks.drop(id, pending.id, of: pending.chunk) }
    if let worker = link.peer.flatMap({ peers[$0].worker }) { workers[worker].failed = link.peer }
  }

  private mutating func spendRetry(
    of pending: PendingRequest, on id: ConnectionID, by number: Int, _ reason: RetryReason, at now: Instant
  ) {
    chunks.drop(id, pending.id, of: pending.chunk)
    // A hedge spends no retry.
    if pending.isHedge || chunks.has(pending.chunk) { return }
    let attempt = chunks.fail(pending.chunk, by: number)
    if case .inFlight = chunks.state(of: pending.chunk) { return }
    if attempt > settings.maxRetries {
      chunks.giveUp(pending.chunk)
      stats.failedChunks += 1
      report(.chunkFailed(chunk: pending.chunk, peer: peers[number].id))
      return end(.outOfRetries(pending.chunk), at: now)
    }
    stats.retries += 1
    let delay = retries.add(pending.chunk, attempt: attempt, at: now, using: &generator)
    report(
      .chunkRetry(chunk: pending.chunk, peer: peers[number].id, reason: reason, attempt: attempt, delay: delay))
  }

  /// A failure of a peer: its score falls, and its worker turns to the next.
  mutating func failed(_ number: Int, _ failure: PeerFailure, at now: Instant) {
    changeScore(of: number) { $0.fail() }
    if peers[number].score.value == 0 { peers[number].probeAt = now + settings.chunkTimeout }
    count(failure, of: number)
    if let worker = peers[number].worker { turnAway(worker, from: number) }
  }

  /// What its statistics count is reported, each once.
  mutating func count(_ failure: PeerFailure, of number: Int) {
    peers[number].failures += 1
    act(.report(.peerFailed(peers[number].id, failure)))
  }

  private mutating func turnAway(_ worker: Int, from number: Int) {
    workers[worker].failed = number
    workers[worker].stays = false
  }

  mutating func changeScore(of number: Int, _ change: (inout PeerScore) -> Void) {
    let before = peers[number].score.value
    change(&peers[number].score)
    let after = peers[number].score.value
    peersAtZero += (after == 0 ? 1 : 0) - (before == 0 ? 1 : 0)
  }

  /// Not now: the peer is left alone for a while. Costs neither score nor retry.
  mutating func busy(_ id: ConnectionID, _ request: RequestID, retryAfter: Duration, at now: Instant) {
    guard let place = links[id]?.place(of: request), let number = links[id]!.peer else { return }
    let pending = links[id]!.pending.remove(at: place)
    startClock(id, at: now)
    chunks.drop(id, request, of: pending.chunk)
    peers[number].refusals += 1
    rest(number, until: now + min(max(retryAfter, DownloadState.busyMin), DownloadState.busyMax))
    if let worker = peers[number].worker { turnAway(worker, from: number) }
    updateUsability(at: now)
  }

  mutating func rest(_ number: Int, until end: Instant) {
    let end = max(end, peers[number].busyUntil ?? end)
    peers[number].busyUntil = end
    timers.set(.busyEnds(number), at: end)
    // What was kept for this peer may now go to others.
    if chunks.isAnyShunned { chunks.reconsider() }
  }

  mutating func busyEnded(_ number: Int) {
    peers[number].busyUntil = nil
    peers[number].exhaustedAt = 0
  }
}
