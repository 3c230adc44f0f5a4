// The endgame: idle peers take over requests that wait at other peers, and the tail of an answer that is arriving from
// another peer.
import Content
import Wire

extension DownloadState {
  /// A takeover must complete its leaves more than this many seconds earlier. Less is noise.
  private static let endgameGainMin = 0.03
  /// The fewest leaves that a second peer is asked for: one frame.
  private static let endgameLeavesMin = 4

  /// Seconds from a peer's socket to verified leaves. This time says nothing about the peer's rate.
  private static let arrivalTime = 0.02
  /// An answer slower than this part of an idle peer's rate crawls: the download cancels it, and the idle peer takes
  /// over the whole request.
  private static let crawlPart = 1.0 / 8
  /// Seconds after an answer's first byte before it can count as crawling.
  private static let crawlSecondsMin = 0.25

  /// A takeover: leaves that an idle peer requests in the endgame.
  private struct EndgameRequest {
    let pending: PendingRequest
    let holder: ConnectionID
    let leaves: LeafRange
    /// Seconds until the leaves would arrive from the holder.
    let due: Double
    /// Whether the holder has not begun to send, or crawls, and so loses the request.
    let isWhole: Bool
  }

  /// A request in a connection's line that an idle peer may take over.
  private struct Waiting {
    let pending: PendingRequest
    /// The leaves of the request that are still missing.
    let run: LeafRange
    /// Bytes that are due on the connection up to the end of this answer.
    let bytesAhead: Int
  }

  /// The requests that wait on one connection.
  private struct Line {
    let holder: ConnectionID
    let number: Int
    let measuredRate: Double?
    /// The rate of the answer that is arriving.
    let presentRate: Double
    let waiting: [Waiting]
    /// The rate of the answer that has begun. Nil if none has begun, or if it began too recently to measure.
    let begunRate: Double?
    /// The request whose first byte has been overdue for longer than a peer may be silent.
    let silent: RequestID?
  }

  /// Has an idle peer take over the request that would complete last, for each idle worker. Returns how many workers
  /// are still idle.
  mutating func askInEndgame(_ idleWorkers: Int, at now: Instant) -> Int {
    var idle = idleWorkers
    guard idle > 0, isAnyPeerIdle else { return idle }
    let peersWithoutWork = idlePeers
    if peersWithoutWork.isEmpty { return idle }
    var lines = lines(at: now)
    for number in peersWithoutWork where idle > 0 && !lines.isEmpty {
      guard let id = peers[number].connection, let request = endgameRequest(by: number, of: lines), mayAsk(at: now)
      else { continue }
      let leaves = paced(request.leaves, of: request.pending.chunk)
      if request.isWhole { takeBack(request.pending, from: request.holder, at: now) }
      send(
        request.pending.chunk, leaves, to: id, worker: request.pending.worker, isHedge: !request.isWhole,
        at: now)
      if !request.isWhole, let holder = connections.peer(of: request.holder) {
        hedged(request.pending.chunk, leaves, of: holder, by: number)
      }
      idle -= 1
      lines = self.lines(at: now)
    }
    return idle
  }

  /// Proven peers without a request, the best first.
  private var idlePeers: [Int] {
    workers.live.filter { number in
      guard isIdle(number), let id = peers[number].connection else { return false }
      return connections.isProven(id) && peers[number].score.value > 0 && peers[number].score.throughput != nil
    }.sorted { outranks($0, $1) }
  }

  /// Returns the lines of all peers that have a request to take over.
  private func lines(at now: Instant) -> [Line] {
    var lines: [Line] = []
    for number in workers.live {
      guard let id = peers[number].connection, connections.pendingCount(of: id) > 0, let connection = connections[id]
      else { continue }
      let silent = silentRequest(of: connection, at: now)
      let waiting = waiting(on: connection, silent: silent)
      if waiting.isEmpty { continue }
      lines.append(
        Line(
          holder: id, number: number, measuredRate: peers[number].score.throughput,
          presentRate: presentRate(of: connection, peers[number].score.throughput, at: now), waiting: waiting,
          begunRate: begunRate(of: connection, at: now), silent: silent))
    }
    return lines
  }

  private func waiting(on connection: Connection, silent: RequestID?) -> [Waiting] {
    var waiting: [Waiting] = []
    var bytesAhead = 0
    for pending in connection.pending where !pending.isEnded {
      let progress = chunks.progress(of: pending.chunk)
      guard let run = chunks.missingSpan(of: pending.chunk, in: pending.leaves.mask) else { continue }
      bytesAhead += chunks.layout.length(of: run, in: pending.chunk)
      // If two peers are asked for a chunk already, a request is taken over only if it is silent: both peers may hang.
      guard progress.askers.count == 1 || pending.id == silent else { continue }
      waiting.append(Waiting(pending: pending, run: run, bytesAhead: bytesAhead))
    }
    return waiting
  }

  private func endgameRequest(by number: Int, of lines: [Line]) -> EndgameRequest? {
    guard let own = peers[number].connection, let availability = connections.availability(of: own),
      let rate = peers[number].score.throughput
    else { return nil }
    // The request that would complete last decides when the download ends, so it comes first.
    var best: EndgameRequest?
    for line in lines where line.number != number {
      // The measured rate, or the present rate if that is lower: a slow peer may have no measured rate yet.
      let holderRate = min(line.measuredRate ?? rate, line.presentRate)
      let crawls =
        !isTooFarForHedge(number) && line.begunRate.map { $0 < rate * DownloadState.crawlPart } ?? false
      for waiting in line.waiting {
        let isLost = crawls && waiting.pending.began != nil || waiting.pending.id == line.silent
        guard
          let request = endgameRequest(
            of: waiting, line.holder, at: holderRate, isLost: isLost, by: availability, rate),
          best.map({ request.due > $0.due }) ?? true
        else { continue }
        if hasFailed(number, .chunk(request.pending.chunk)) { continue }
        if !request.isWhole, isTooFarForHedge(number) { continue }
        if isLeftToZone(request.pending.chunk, instead: number) { continue }
        best = request
      }
    }
    return best
  }

  /// Returns the takeover of a request by an idle peer. Nil if it gains nothing.
  private func endgameRequest(
    of waiting: Waiting, _ holder: ConnectionID, at holderRate: Double, isLost: Bool,
    by availability: RemoteAvailability,
    _ rate: Double
  ) -> EndgameRequest? {
    let isBegun = waiting.pending.started != nil && !isLost
    let due = Double(waiting.bytesAhead) / holderRate
    let chunk = waiting.pending.chunk
    let part =
      isBegun
      ? tail(of: waiting.run, askedFrom: waiting.pending.leaves.first, holderRate / (holderRate + rate))
        .flatMap { chunks.missingSpan(of: chunk, in: $0.mask) } : waiting.run
    guard let part, part.mask & ~availability.leaves(of: chunk) == 0 else { return nil }
    let gain = due - Double(chunks.layout.length(of: part, in: chunk)) / rate
    guard gain > DownloadState.endgameGainMin, !isBegun || fitsBudget(part, of: chunk) else { return nil }
    return EndgameRequest(pending: waiting.pending, holder: holder, leaves: part, due: due, isWhole: !isBegun)
  }

  /// Returns the rate of the answer that is arriving, in bytes per second; infinite if no answer is due. It allows for
  /// bytes that are still in buffers: one frame, or as many as arrive within `arrivalTime`.
  private func presentRate(of connection: Connection, _ measuredRate: Double?, at now: Instant) -> Double {
    guard let place = connection.firstInLine, let started = connection.pending[place].started, now > started else {
      return .infinity
    }
    let byteCount = arrived(of: connection.pending[place])
    let frame = Double(DownloadState.endgameLeavesMin * chunks.layout.leafSize)
    let slack = max(frame, (measuredRate ?? 0) * DownloadState.arrivalTime)
    return (Double(byteCount) + slack) / (now - started).inSeconds
  }

  /// Returns the rate at which leaves have arrived since the answer's first byte, in bytes per second.
  private func begunRate(of connection: Connection, at now: Instant) -> Double? {
    guard let place = connection.firstInLine, let began = connection.pending[place].began else { return nil }
    let seconds = (now - began).inSeconds
    guard seconds >= DownloadState.crawlSecondsMin else { return nil }
    // One more frame may be on its way.
    let frame = DownloadState.endgameLeavesMin * chunks.layout.leafSize
    return Double(arrived(of: connection.pending[place]) + frame) / seconds
  }

  private func silentRequest(of connection: Connection, at now: Instant) -> RequestID? {
    guard let place = connection.firstInLine, let due = dueSince(connection.pending[place]),
      connection.pending[place].began == nil,
      let number = connection.peer, now - due >= patience(with: number)
    else { return nil }
    return connection.pending[place].id
  }

  /// Returns when the next peer will have been silent for too long.
  func nextSilence(after now: Instant) -> Instant? {
    var next: Instant?
    for number in workers.live {
      guard let id = peers[number].connection, let since = silentSince(id) else { continue }
      let due = since + patience(with: number)
      if due > now { next = min(next ?? due, due) }
    }
    return next
  }

  /// Returns the tail of a run; the holder sends the first part meanwhile. The holder sends whole frames, so the tail
  /// starts at a frame: else leaves of one frame would come twice. The frame that is arriving stays with the holder.
  private func tail(of run: LeafRange, askedFrom first: Int, _ holderPart: Double) -> LeafRange? {
    let frame = DownloadState.endgameLeavesMin
    let arriving = (run.first - first) / frame + 1
    let share = (Double(run.first - first) + Double(run.count) * holderPart) / Double(frame)
    let start = first + max(arriving, Int(share.rounded())) * frame
    guard run.end - start >= DownloadState.endgameLeavesMin else { return nil }
    return LeafRange(first: start, count: run.end - start)
  }

  /// Takes a request back from its holder. If the request still waited behind others, the holder has not failed. If it
  /// was first in line and brought no leaf, the holder has failed.
  private mutating func takeBack(_ pending: PendingRequest, from id: ConnectionID, at now: Instant) {
    connections[existing: id].pending.removeAll { $0.id == pending.id }
    act(.cancel(id, pending.id))
    chunks.drop(id, pending.id, of: pending.chunk)
    if pending.started != nil, pending.verified == 0, let number = connections.peer(of: id) {
      failed(number, .overtaken(pending.chunk), at: now)
      // The peer gets one request at a time until it answers.
      if pending.began == nil { (connections[existing: id].isProven, peers[number].isSilent) = (false, true) }
    }
    startClock(id, at: now)
  }
}
