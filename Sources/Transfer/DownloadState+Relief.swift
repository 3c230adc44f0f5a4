// Idle peers relieve the others: of what waits in another's line they take chunks, of what is arriving there the tail.
import Content
import Wire

extension DownloadState {
  /// Taking over pays where it brings the end of what is taken forward by more than this: less is noise.
  private static let reliefGainMin = 0.03
  /// The least that is asked of a second peer: one frame's worth.
  private static let reliefLeavesMin = 4

  /// What an idle peer can take over.
  private struct Relief {
    let pending: PendingRequest
    let holder: ConnectionID
    let leaves: LeafRange
    /// Seconds until the holder would have sent it all, and by how many of them that comes sooner.
    let due: Double
    let gain: Double
    /// Whether the holder has not begun with it, and is not asked for it any more.
    let isWhole: Bool
  }

  /// For each worker without work, lets an idle peer take over what would be there last. Returns the workers that are
  /// still idle.
  mutating func relieve(_ idleWorkers: Int, at now: Instant) -> Int {
    var idle = idleWorkers
    for number in idlePeers where idle > 0 {
      guard let id = peers[number].connection, let relief = relief(by: number, at: now) else { continue }
      if relief.isWhole { takeBack(relief.pending, from: relief.holder, at: now) }
      send(
        relief.pending.chunk, relief.leaves, to: id, worker: relief.pending.worker, isHedge: !relief.isWhole, at: now)
      if !relief.isWhole, let holder = links[relief.holder]?.peer {
        hedged(relief.pending.chunk, relief.leaves, of: holder, by: number)
      }
      idle -= 1
    }
    return idle
  }

  /// Proven peers that are asked for nothing, the best first.
  private var idlePeers: [Int] {
    rotation.live.filter { number in
      guard peers[number].isProven, peers[number].busyUntil == nil, let id = peers[number].connection else {
        return false
      }
      return links.isProven(id) && links.pendingCount(of: id) == 0 && peers[number].score.value > 0
        && peers[number].score.throughput != nil
    }.sorted(by: outranks)
  }

  private func relief(by number: Int, at now: Instant) -> Relief? {
    guard let own = peers[number].connection, let holdings = links.holdings(of: own),
      let rate = peers[number].score.throughput
    else { return nil }
    let excluded = excluded(for: number)
    var best: Relief?
    for other in rotation.live where other != number && inFlight(other) > 0 {
      guard let id = peers[other].connection, let link = links[id] else { continue }
      for relief in reliefs(of: link, id, at: peers[other].score.throughput, by: holdings, rate, at: now)
      where best == nil || relief.gain > best!.gain {
        if relief.isWhole, excluded.contains(relief.pending.chunk) { continue }
        best = relief
      }
    }
    return best
  }

  /// What of a connection's line an idle peer could take over with gain.
  private func reliefs(
    of link: Link, _ id: ConnectionID, at holderRate: Double?, by holdings: Holdings, _ rate: Double, at now: Instant
  ) -> [Relief] {
    let holderRate = present(holderRate ?? rate, on: link, at: now)
    var reliefs: [Relief] = []
    var bytesAhead = 0
    for pending in link.pending where !pending.isEnded {
      let rest = pending.leaves.mask & ~chunks.progress(of: pending.chunk).verified
      guard let run = chunks.missingRun(of: pending.chunk, in: rest) else { continue }
      let isBegun = pending.started != nil
      bytesAhead += chunks.layout.length(of: run, in: pending.chunk)
      let due = Double(bytesAhead) / holderRate
      guard chunks.progress(of: pending.chunk).askers.count == 1 else { continue }
      let part = isBegun ? tail(of: run, holderRate / (holderRate + rate)) : run
      guard let part, part.mask & ~holdings.leaves(of: pending.chunk) == 0 else { continue }
      let gain = due - Double(chunks.layout.length(of: part, in: pending.chunk)) / rate
      guard gain > DownloadState.reliefGainMin, !isBegun || fitsBudget(part, of: pending.chunk) else { continue }
      reliefs.append(
        Relief(pending: pending, holder: id, leaves: part, due: due, gain: gain, isWhole: !isBegun))
    }
    return reliefs
  }

  /// A peer's rate, or what it manages just now where that is less: of a slow one nothing else may have been measured.
  private func present(_ measured: Double, on link: Link, at now: Instant) -> Double {
    guard let place = link.firstInLine, let started = link.pending[place].started, now > started else {
      return measured
    }
    let byteCount = link.pending[place].verified.nonzeroBitCount * chunks.layout.leafSize
    let slack = DownloadState.reliefLeavesMin * chunks.layout.leafSize
    return min(measured, Double(byteCount + slack) / (now - started).inSeconds)
  }

  /// The end of a run, of which the holder sends the first part meanwhile.
  private func tail(of run: LeafRange, _ holderPart: Double) -> LeafRange? {
    let kept = Int((Double(run.count) * holderPart).rounded(.up))
    guard run.count - kept >= DownloadState.reliefLeavesMin else { return nil }
    return LeafRange(first: run.first + kept, count: run.count - kept)
  }

  /// Nothing of it was sent, as far as is known: it is nobody's failure.
  private mutating func takeBack(_ pending: PendingRequest, from id: ConnectionID, at now: Instant) {
    links[id]!.pending.removeAll { $0.id == pending.id }
    act(.cancel(id, pending.id))
    chunks.drop(id, pending.id, of: pending.chunk)
    startClock(id, at: now)
  }
}
