// Hedging: a second peer is asked for a late chunk, within a small budget of duplicate bytes, so that the end of a
// download does not stall.
import Content
import Wire

extension DownloadState {
  /// For each idle worker, asks an idle peer for the chunk that was requested longest ago, if it is late.
  mutating func hedge(_ idleWorkers: Int, at now: Instant) {
    timers.cancel(.hedge)
    guard isAnyPeerIdle else { return }
    for _ in 0..<idleWorkers {
      guard let (late, holder) = longestOut else { return }
      let due = late.sent + hedging.threshold(byteCount: countedBytes(of: late.chunk))
      if due > now { return timers.set(.hedge, at: due) }
      guard let number = idlePeer(with: late.chunk, besides: holder), let id = peers[number].connection,
        let all = chunks.missingSpan(of: late.chunk), mayAsk(at: now)
      else { return }
      let run = paced(all, of: late.chunk)
      send(late.chunk, run, to: id, worker: late.worker, isHedge: true, at: now)
      hedged(late.chunk, run, of: holder, by: number)
    }
  }

  /// Returns the size by which a chunk's time is judged. Each chunk of a single file counts as full; chunks of a folder
  /// differ in size.
  func countedBytes(of chunk: ChunkIndex) -> Int {
    chunks.layout.folder == nil ? chunks.layout.chunkSize : chunks.layout.length(of: chunk)
  }

  /// Returns the size by which the time of leaves is judged, counted in the same way.
  func countedBytes(of leaves: LeafRange, in chunk: ChunkIndex) -> Int {
    let layout = chunks.layout
    return layout.folder == nil ? leaves.count * layout.leafSize : layout.length(of: leaves, in: chunk)
  }

  /// Returns the verified bytes of an answer, counted in the same way.
  func arrived(of pending: PendingRequest) -> Int {
    let layout = chunks.layout
    guard layout.folder != nil else { return pending.verified.nonzeroBitCount * layout.leafSize }
    return layout.length(ofLeaves: pending.verified, in: pending.chunk)
  }

  /// Counts and reports a hedge: a second peer was asked for leaves that the first one has not sent.
  mutating func hedged(_ chunk: ChunkIndex, _ leaves: LeafRange, of holder: Int, by number: Int) {
    tally.stats.hedges += 1
    peers[number].tally.hedges += 1
    peers[holder].tally.hedged += 1
    let byteCount = chunks.layout.length(of: leaves, in: chunk)
    report(.chunkHedged(chunk: chunk, peer: peers[holder].id, second: peers[number].id, bytes: byteCount))
  }

  /// The oldest request whose chunk only one peer is asked for, that an idle peer can answer, and that fits the budget.
  private var longestOut: (PendingRequest, holder: Int)? {
    var longest: (PendingRequest, holder: Int)?
    for number in workers.live {
      guard inFlight(number) > 0, let id = peers[number].connection, let connection = connections[id] else { continue }
      for pending in connection.pending where !pending.isEnded {
        if let (longest, _) = longest, longest.sent <= pending.sent { continue }
        guard chunks.progress(of: pending.chunk).askers.count == 1, fitsBudget(pending.chunk),
          idlePeer(with: pending.chunk, besides: number) != nil
        else { continue }
        longest = (pending, number)
      }
    }
    return longest
  }

  private func fitsBudget(_ chunk: ChunkIndex) -> Bool {
    chunks.missingSpan(of: chunk).map { fitsBudget($0, of: chunk) } ?? false
  }

  /// Returns whether one more hedge fits the budget, together with the duplicate bytes so far and all hedges in flight.
  func fitsBudget(_ leaves: LeafRange, of chunk: ChunkIndex) -> Bool {
    let asked = connections.sum { connection in
      connection.pending.reduce(0) { $1.isHedge ? $0 + chunks.layout.length(of: $1.leaves, in: $1.chunk) : $0 }
    }
    let budget = hedging.budget(ofWanted: chunks.wantedBytes, chunkSize: chunks.layout.chunkSize)
    return tally.stats.duplicateBytes + UInt64(asked + chunks.layout.length(of: leaves, in: chunk)) <= budget
  }

  /// Whether any peer is idle. This check is cheap, and mostly none is.
  var isAnyPeerIdle: Bool { workers.live.contains { isIdle($0) } }

  /// Returns whether a peer is idle: a proven peer without a request or, before the first measurement, any peer without
  /// one.
  func isIdle(_ number: Int) -> Bool {
    peers[number].busyUntil == nil && (peers[number].isProven || !hedging.isMeasured && !isPaced(number))
      && peers[number].connection != nil && inFlight(number) == 0
  }

  func idlePeer(with chunk: ChunkIndex, besides holder: Int) -> Int? {
    var best: Int?
    for number in workers.live where number != holder && isIdle(number) && !isTooFarForHedge(number) {
      guard let id = peers[number].connection, connections.has(chunk, on: id), !hasFailed(number, .chunk(chunk)) else {
        continue
      }
      if best.map({ outranks(number, $0) }) ?? true { best = number }
    }
    return best
  }

  /// Cancels a request whose chunk another peer has sent. This lowers the peer's score only if the request was first in
  /// line and brought no leaf.
  mutating func cancelLoser(_ id: ConnectionID, _ request: RequestID, at now: Instant) {
    guard let (pending, number) = connections.modify(id, { $0.take(request) }) else { return }
    if !pending.isEnded { act(.cancel(id, request)) }
    if pending.verified == 0, pending.started != nil, !pending.isEnded {
      failed(number, .overtaken(pending.chunk), at: now)
    }
    startClock(id, at: now)
  }
}
