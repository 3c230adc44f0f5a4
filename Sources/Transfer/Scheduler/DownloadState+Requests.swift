// Requests for chunks, from sent to verified, and their effect on scores and statistics.
import Content
import Wire

extension DownloadState {
  /// Asks a peer for the next chunk that the peer has. False if it has nothing to give.
  mutating func request(from number: Int, worker: Int, at now: Instant) -> Bool {
    guard let id = peers[number].connection, let availability = connections.availability(of: id) else { return false }
    let excluded = excluded(for: number, at: now)
    let limit = chunkLimit
    let start = isTrading && limit > 0 ? Int.random(in: 0..<limit, using: &generator) : 0
    let filter = zoneFilter(for: number)
    guard let chunk = chunks.choose(for: availability, below: limit, excluded: excluded, from: start, filter),
      let leaves = chunks.missingSpan(of: chunk, in: availability.leaves(of: chunk))
    else { return false }
    let part = paced(leaves, of: chunk, in: availability.leaves(of: chunk))
    send(chunk, part, to: id, worker: worker, isHedge: false, at: now)
    if zone != nil { reviewImports(at: now) }
    return true
  }

  /// Chunks from here on are beyond the window of a stream, and are not asked for yet.
  private var chunkLimit: Int { window?.end ?? chunks.layout.chunkCount }

  /// Returns whether a peer has any leaf that the download needs now. While a stream waits for its reader, leaves
  /// beyond the window count too.
  func wantsAny(of availability: RemoteAvailability) -> Bool {
    chunks.wantsAny(of: availability, below: waitsForReader ? chunks.layout.chunkCount : chunkLimit)
  }

  /// Whether a stream has its whole window and waits for its reader.
  var waitsForReader: Bool { chunks.firstUnfinished.map { $0 >= chunkLimit } ?? true }

  mutating func send(
    _ chunk: ChunkIndex, _ leaves: LeafRange, to id: ConnectionID, worker: Int, isHedge: Bool, at now: Instant
  ) {
    let request = connections[existing: id].ask(chunk, leaves, worker: worker, isHedge: isHedge, at: now)
    requestPace.asked(chunks.layout.length(of: leaves, in: chunk), at: now)
    if tally.stats.firstRequest == nil { tally.stats.firstRequest = now }
    chunks.ask(chunk, Asker(connection: id, request: request, leaves: leaves))
    act(.request(id, request, chunk, leaves, needed: chunks.missing(of: chunk) & leaves.mask))
    startClock(id, at: now)
  }

  /// Starts the clock of the first request in line, if it does not run yet.
  mutating func startClock(_ id: ConnectionID, at now: Instant) {
    if let chunk = connections.modify(id, { $0.startClock(at: now) }) { chunks.clockStarted(on: chunk, at: now) }
    guard let connection = connections[id], let started = connection.pending.first?.started else {
      return timers.cancel(.chunk(id))
    }
    timers.set(.chunk(id), at: started + settings.chunkTimeout)
    // The silence of a proven peer matters only after a failure.
    if !rounds.isEmpty || connection.peer.map({ !peers[$0].isProven }) ?? false { watchSilence(of: id, at: now) }
  }

  mutating func answerEnded(_ id: ConnectionID, _ request: RequestID, at now: Instant) {
    heard(on: id, at: now)
    guard let place = connections.place(of: request, on: id) else { return }
    answerEnded(id, at: place, now)
    startClock(id, at: now)
  }

  mutating func answerBegan(_ id: ConnectionID, _ request: RequestID, at now: Instant) {
    heard(on: id, at: now)
    guard let place = connections.place(of: request, on: id), connections[existing: id].pending[place].began == nil
    else { return }
    connections[existing: id].pending[place].began = now
  }

  private mutating func answerEnded(_ id: ConnectionID, at place: Int, _ now: Instant) {
    let pending = connections[existing: id].pending[place]
    guard !pending.isEnded, let number = connections[existing: id].peer else { return }
    connections[existing: id].pending[place].ended = now
    peers[number].score.measure(
      byteCount: chunks.layout.length(of: pending.leaves, in: pending.chunk),
      in: now - (pending.started ?? pending.sent))
  }

  mutating func leavesVerified(
    _ id: ConnectionID, _ request: RequestID, _ chunk: ChunkIndex, _ leaves: LeafRange, needed: UInt64,
    writing: Duration, at now: Instant
  ) {
    guard phase == .running, chunks.layout.contains(chunk), leaves.end <= chunks.layout.leafCount(of: chunk) else {
      return
    }
    heard(on: id, at: now)
    let started = chunks.progress(of: chunk).started
    let askers = chunks.progress(of: chunk).askers
    let before = files == nil ? 0 : chunks.verified(of: chunk)
    let kept = leaves.mask & needed
    let (new, isNowHad) = chunks.verify(mask: kept, of: chunk)
    let completed = filesCompleted(by: new, of: chunk, before: before)
    if !completed.isEmpty { act(.filesCompleted(completed)) }
    rounds.gained(new.nonzeroBitCount, of: chunk)
    let giver = giver(on: id)
    count(new, of: kept, among: leaves, in: chunk, for: giver, at: now)
    var worker = 0
    var latency = started.map { now - $0 } ?? .zero
    if let place = connections.place(of: request, on: id), let number = connections[existing: id].peer {
      worker = connections[existing: id].pending[place].worker
      if connections[existing: id].pending[place].add(leaves, writing: writing) {
        latency = complete(id, at: place, number, now)
        if !isNowHad { chunks.drop(id, request, of: chunk) }
      }
    }
    // The peers that have not failed may have none of the missing leaves.
    guard isNowHad else { return settleRound(of: .chunk(chunk), at: now) }
    rounds.remove(.chunk(chunk))
    for asker in askers where !(asker.connection == id && asker.request == request) {
      cancelLoser(asker.connection, asker.request, at: now)
    }
    tally.stats.downloadedChunks += 1
    if let number = giver {
      peers[number].tally.chunks += 1
      report(
        .chunkDone(
          chunk: chunk, worker: worker, finished: chunks.haveCount, total: chunks.wantedCount,
          peer: peers[number].id, latency: latency,
          bytes: tally.fetchedBytes(of: chunk, of: chunks.layout.length(ofLeaves: chunks.due(chunk), in: chunk))))
    }
    if chunks.isComplete { finish(at: now) } else { updateUsability(at: now) }
  }

  /// Returns the peer that sent bytes on a connection, which may be lost by now.
  private func giver(on id: ConnectionID) -> Int? {
    connections.peer(of: id) ?? connections.lost.last { $0.id == id }.flatMap { peers.number(of: $0.peer) }
  }

  /// Completes a request whose answer is verified in full. Returns its latency.
  private mutating func complete(_ id: ConnectionID, at place: Int, _ number: Int, _ now: Instant) -> Duration {
    answerEnded(id, at: place, now)
    let pending = connections[existing: id].pending.remove(at: place)
    let latency = now - (pending.started ?? pending.sent)
    startClock(id, at: now)
    changeScore(of: number) { $0.succeed(latency: latency) }
    // A short answer says little about how long a whole chunk takes.
    if pending.leaves.count * 2 >= chunks.layout.leafCount(of: pending.chunk) {
      hedging.measured(now - pending.sent, byteCount: countedBytes(of: pending.chunk))
    }
    peers[number].tally.times.add(pending, at: now)
    if !peers[number].isProven { prove(number) }
    if !connections[existing: id].isProven, let address = connections[existing: id].address { book.proved(address) }
    connections[existing: id].isProven = true
    workers.answered(pending.worker, by: number)
    return latency
  }

  /// Marks a peer as proven, after it answered a request in full.
  private mutating func prove(_ number: Int) {
    peers[number].isProven = true
    if let group = peers[number].group { pace.proved(group) }
  }

  /// Counts verified leaves in the statistics.
  /// - `new`: the leaves that were not verified before.
  /// - `kept`: the leaves that were needed when they were requested.
  private mutating func count(
    _ new: UInt64, of kept: UInt64, among leaves: LeafRange, in chunk: ChunkIndex, for number: Int?, at now: Instant
  ) {
    let all = chunks.layout.length(of: leaves, in: chunk)
    let needed = kept == leaves.mask ? all : chunks.layout.length(ofLeaves: kept, in: chunk)
    let fresh = new == leaves.mask ? all : chunks.layout.length(ofLeaves: new, in: chunk)
    tally.verified(byteCount: all, needed: needed, fresh: fresh, at: now)
    if fresh > 0 {
      progressWatch.progressed(at: now)
      waiting.progressed(at: now)
    }
    guard let number else { return }
    peers[number].isSilent = false
    peers[number].tally.gave(byteCount: fresh, at: now)
    if zone != nil { gave(fresh, by: number, at: now) }
    if peers[number].refusals.clear() { updateUsability(at: now) }
  }
}
