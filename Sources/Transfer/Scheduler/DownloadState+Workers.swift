// Workers choose peers by rank. Each worker drives one peer and pulls chunks while the pipeline has room.
import Content
import Wire

extension DownloadState {
  /// A pipeline holds requests for this many seconds at the peer's measured rate.
  private static let pipelineSeconds = 2.0
  private static let requestsInFlightMin = 2
  /// The same if peers share: many peers want a peer's upload, and another peer could answer the requests that wait
  /// there.
  private static let sharedPipelineSeconds = 0.5
  /// Between peers with the same score, a worker changes only to a peer that is faster by this factor: measured rates
  /// vary, and each change costs a round trip.
  private static let rateMargin = 1.25

  /// The pause after an announcement before idle workers check again which requests of other peers they can take over.
  private static let newsPause: Duration = .milliseconds(50)

  /// Notes that workers dropped these peers, because peers came or left. Requests in flight stay.
  mutating func setUndriven(_ dropped: [Int]) { for number in dropped { peers[number].worker = nil } }

  mutating func pump(at now: Instant) {
    reviewZone(at: now)
    noteOffered()
    fetchPages(at: now)
    var idle = 0
    for worker in turns where drive(worker, at: now) { idle += 1 }
    guard idle > 0 && settings.hedges && mayAsk(at: now) else { return timers.cancel(.hedge) }
    if let next = hedging.beginEndgame(isSharing: isSharing, at: now) { return timers.set(.hedge, at: next) }
    hedge(askInEndgame(idle, at: now), at: now)
    if phase != .ended, let silence = nextSilence(after: now) {
      timers.set(.hedge, at: min(timers[.hedge] ?? silence, silence))
    }
  }

  /// Sends requests after a peer announced chunks. Only this peer can have become useful.
  mutating func pump(at now: Instant, newsOf id: ConnectionID) {
    reviewZone(at: now)
    noteOffered()
    guard let number = connections.peer(of: id), isUsable(number) else { return }
    if pages.isAnyWanted { fetchPages(at: now) }
    if chunks.choosableCount == 0 {
      // This peer may be able to send chunks that are in flight elsewhere sooner, but that search is too expensive for
      // each announcement.
      if settings.hedges, timers[.hedge] == nil { timers.set(.hedge, at: now + DownloadState.newsPause) }
      return
    }
    if let worker = peers[number].worker {
      _ = drive(worker, at: now)
    } else if let worker = workers.first(where: { $0.map { !isUsable($0) } ?? true }) {
      _ = drive(worker, at: now)
    }
  }

  /// Marks peers that had nothing to give, and have none of the chunks that became choosable, so that they are not
  /// searched again.
  private mutating func noteOffered() {
    let (since, offered) = chunks.takeOffered()
    guard !offered.isEmpty else { return }
    let generation = chunks.generation
    for number in workers.live where peers[number].exhaustedAt >= since && peers[number].exhaustedAt < generation {
      guard let id = peers[number].connection else { continue }
      let hasAny = offered.contains { connections.leaves(of: $0, on: id) & chunks.missing(of: $0) != 0 }
      if !hasAny { peers[number].exhaustedAt = generation }
    }
  }

  /// The order in which workers pull. With fewer chunks than workers it follows the rank of their peers, so that a
  /// retry does not go from one bad peer to the next while good peers are idle.
  private var turns: [Int] {
    guard chunks.choosableCount > 0, chunks.choosableCount < workers.count else { return Array(workers.indices) }
    var turns: [(worker: Int, peer: Int?)] = []
    for worker in workers.indices {
      let peer = workers[worker].peer ?? best(of: workers.set(of: worker), for: worker)
      let place = turns.firstIndex { other in
        peer.map { mine in other.peer.map { outranks(mine, $0) } ?? true } ?? false
      }
      turns.insert((worker, peer), at: place ?? turns.count)
    }
    return turns.map(\.worker)
  }

  /// Sends the requests that a worker can send now. True if the worker is idle: it has room for more requests, and no
  /// chunk to ask for.
  private mutating func drive(_ worker: Int, at now: Instant) -> Bool {
    probe(worker, at: now)
    while chunks.choosableCount > 0, let number = choosePeer(for: worker) {
      if !hasRoom(number) || !mayAsk(at: now) { return false }
      if !request(from: number, worker: worker, at: now) {
        fetchPage(from: number, at: now)
        peers[number].exhaustedAt = chunks.generation
      }
    }
    return true
  }

  func inFlight(_ number: Int) -> Int { peers[number].connection.map { connections.pendingCount(of: $0) } ?? 0 }

  /// Returns whether a peer can be asked now, without a search for a chunk.
  func isUsable(_ number: Int) -> Bool {
    peers[number].connection != nil && peers[number].busyUntil == nil
      && peers[number].exhaustedAt != chunks.generation && !isPaced(number) && !waitsForImports(number)
  }

  /// Returns whether peer `a` comes before peer `b`. Higher scores come first, then higher measured rates. Of peers
  /// that were never asked, named ones come first, then those that this node dialled, then the one with the lower
  /// number. Suspects come last. Among the rest, proven partners of the zone come first.
  func outranks(_ a: Int, _ b: Int) -> Bool {
    if isSuspect(a) != isSuspect(b) { return isSuspect(b) }
    if isNear(a) != isNear(b) { return isNear(a) }
    let (first, second) = (standing(a), standing(b))
    if first != second { return first > second }
    let (firstRate, secondRate) = (presumedRate(a), presumedRate(b))
    if firstRate != secondRate { return firstRate > secondRate }
    let (firstTrust, secondTrust) = (unprovenTrust(in: a), unprovenTrust(in: b))
    return firstTrust != secondTrust ? firstTrust < secondTrust : a < b
  }

  private func isNear(_ number: Int) -> Bool { peers[number].isPartner && peers[number].isProven }

  private func unprovenTrust(in number: Int) -> Int { peers[number].isProven ? 0 : peers[number].origin.rawValue }

  /// Returns the score by which peers rank. If peers share, scores above the start count as the start: the score of a
  /// good peer then says only how often it was asked, and a download that kept to a few peers would leave the upload of
  /// the others unused.
  private func standing(_ number: Int) -> Int {
    let score = peers[number].score.value
    return isSharing ? min(score, PeerScore.start) : score
  }

  /// Returns the measured rate of a peer. If peers share, an unmeasured peer counts as the fastest, so that it is
  /// tried.
  private func presumedRate(_ number: Int) -> Double {
    peers[number].score.throughput ?? (isSharing ? .infinity : 0)
  }

  private func isSuspect(_ number: Int) -> Bool {
    guard book.hasSuspects, !peers[number].isProven, let group = peers[number].group else { return false }
    return book.isSuspect(group)
  }

  private mutating func choosePeer(for worker: Int) -> Int? {
    let current = workers[worker].peer
    if let current, workers[worker].stays, isUsable(current), !isProvenPeerFree(besides: current, for: worker) {
      return current
    }
    workers[worker].stays = false
    var choice = afterFailure(of: worker)
    if choice != nil {
      workers[worker].stays = true
    } else {
      choice = best(of: workers.set(of: worker), for: worker) ?? best(of: workers.live, for: worker)
      if let current, let best = choice, isUsable(current), keeps(current, over: best, worker: worker) {
        choice = current
      }
    }
    guard let choice else { return nil }
    workers[worker].failed = nil
    if let current, current != choice { peers[current].worker = nil }
    peers[choice].worker = worker
    workers[worker].peer = choice
    return choice
  }

  /// Returns the peer to drive after a failure: the next peer of the worker's own set. Proven or named peers that no
  /// worker drives come before strangers.
  private func afterFailure(of worker: Int) -> Int? {
    guard let failed = workers[worker].failed else { return nil }
    let others = workers.others(of: worker, after: failed).filter { isFree($0, for: worker) && !isSuspect($0) }
    if let next = others.first(where: { !peers[$0].isStranger }) { return next }
    let live = workers.live.filter { $0 != failed }
    return best(of: live.filter { !peers[$0].isStranger }, for: worker) ?? others.first ?? best(of: live, for: worker)
  }

  /// Returns whether a worker that stays with a stranger could drive a proven peer instead.
  private func isProvenPeerFree(besides current: Int, for worker: Int) -> Bool {
    peers[current].isStranger
      && workers.live.contains { $0 != current && peers[$0].isProven && isFree($0, for: worker) }
  }

  private func isFree(_ number: Int, for worker: Int) -> Bool {
    isUsable(number) && (peers[number].worker == nil || peers[number].worker == worker)
  }

  private func best(of numbers: [Int], for worker: Int) -> Int? {
    var best: Int?
    for number in numbers where isFree(number, for: worker) {
      if best.map({ outranks(number, $0) }) ?? true { best = number }
    }
    return best
  }

  private func keeps(_ current: Int, over best: Int, worker: Int) -> Bool {
    guard workers.owner(of: current) == worker || workers.owner(of: best) != worker else { return false }
    if isNear(current) != isNear(best) { return isNear(current) }
    let (mine, other) = (standing(current), standing(best))
    guard mine == other else { return mine > other }
    return presumedRate(best) <= presumedRate(current) * DownloadState.rateMargin
      || peers[current].score.throughput == nil
  }

  /// Asks a peer at score 0 for one chunk now and then, so that its score can recover.
  private mutating func probe(_ worker: Int, at now: Instant) {
    guard peers.atZeroCount > 0, chunks.choosableCount > 0 else { return }
    for number in workers.set(of: worker) where peers[number].score.value == 0 && peers[number].worker == nil {
      guard isUsable(number), inFlight(number) == 0, let due = peers[number].probeAt, due <= now, mayAsk(at: now)
      else { continue }
      peers[number].probeAt = now + settings.chunkTimeout
      if request(from: number, worker: worker, at: now) { return }
    }
  }

  /// Returns whether another request may be in flight to a peer.
  private func hasRoom(_ number: Int) -> Bool {
    guard let id = peers[number].connection, connections.isProven(id) else { return inFlight(number) < 1 }
    // The chunks of a folder may be small, so only their bytes bound the pipeline.
    let inFlightMax = chunks.layout.folder == nil ? settings.requestsInFlightMax : ProtocolLimits.requestsInFlightMax
    let depthMax = min(inFlightMax, connections.requestsMax(of: id))
    let least = isSharing ? 1 : DownloadState.requestsInFlightMin
    let seconds = isSharing ? DownloadState.sharedPipelineSeconds : DownloadState.pipelineSeconds
    let count = inFlight(number)
    guard let rate = peers[number].score.throughput else { return count < min(least, depthMax) }
    if count < 1 { return true }
    guard count < min(depthMax, share(of: rate)) else { return false }
    return count < least || Double(bytesInFlight(number)) < seconds * rate
  }

  /// Returns the bytes of the chunks that a peer is asked for. Each chunk counts in full.
  private func bytesInFlight(_ number: Int) -> Int {
    let layout = chunks.layout
    guard layout.folder != nil, let id = peers[number].connection else { return inFlight(number) * layout.chunkSize }
    return connections[existing: id].pending.reduce(0) { $0 + countedBytes(of: $1.chunk) }
  }

  /// Returns how many requests a peer may hold near the end: its part of the remaining chunks by rate, so that all
  /// peers end together.
  private func share(of rate: Double) -> Int {
    let unfinished = chunks.unfinishedCount
    guard unfinished < workers.count * settings.requestsInFlightMax else { return unfinished }
    let rates = workers.drivenPeers.compactMap { peers[$0].score.throughput }
    guard !rates.isEmpty else { return unfinished }
    // A peer without a measured rate counts with the mean rate.
    let total = rates.reduce(0, +) / Double(rates.count) * Double(workers.count)
    return total > 0 ? Int(Double(unfinished) * min(rate / total, 1)) : unfinished
  }
}
