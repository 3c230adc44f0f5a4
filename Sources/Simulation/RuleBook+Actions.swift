// Checks that each action of the engine is allowed.
import Content
import Transfer
import Wire

extension RuleBook {
  /// Records an action.
  mutating func see(_ action: DownloadAction, at now: Instant) {
    if hasEnded { breakRule("an action after the last") }
    switch action {
    case .dial(let address, _, let id): dial(address, id, at: now)
    case .open(let id):
      guard let line = lines[id] else { return breakRule("OPEN on a connection that is gone") }
      if banned.contains(line.peer) { breakRule("a banned peer is asked to open the file") }
      if lines.contains(where: { $0.key != id && $0.value.peer == line.peer }) {
        breakRule("a peer has two connections")
      }
    case .prepareStorage: break
    case .fetchPage(let page, let id): fetch(page, id, at: now)
    case .request(let id, let request, let chunk, let leaves, let needed):
      checkSpan(leaves, needed, of: chunk)
      ask(id, request, chunk, leaves, needed, at: now)
    case .cancel(let id, let request):
      lateLoss = nil
      cancel(RequestName(connection: id, request: request), at: now)
    case .disconnect(let id, let reason):
      if reason == .banned, let peer = peerOf[id], !banned.contains(peer) { breakRule("\(peer) is let go as a liar") }
      lines[id] = nil
      countLoss(id)
      if let address = addresses[id] { resolvedAddresses.insert(address) }
    case .report(let report): see(report, at: now)
    case .filesCompleted(let entries): completeFiles(entries)
    case .finished(let stats): end(.complete, stats)
    case .failed(let failure, let stats): fail(failure, stats, at: now)
    }
  }

  /// Besides what an event requires, the engine may cancel three kinds of requests: one that waits in a peer's queue
  /// and one whose answer crawls, so that another peer takes it over; and one of a silent stranger that another can
  /// answer.
  private mutating func cancel(_ name: RequestName, at now: Instant) {
    seenCancels.insert(name)
    guard !expectedCancels.contains(name), let line = lines[name.connection],
      let asked = line.asked.first(where: { $0.id == name.request }), !asked.isEnded
    else { return }
    let item = Troubled.chunk(Int(asked.chunk.rawValue))
    if let started = asked.started, !proven.contains(line.peer),
      line.asked.first(where: { !$0.isEnded })?.id == asked.id,
      started + patience(with: line.peer, for: item) <= now, isLate(asked, since: started, at: now),
      isAnotherLeft(than: line.peer, for: item, at: now)
    {
      // If a failure is reported next, the stranger has lost it. Otherwise an idle peer takes it over.
      remove(name, at: now)
      takenBack.insert(asked.chunk)
      lateLoss = (line.peer, asked.chunk, name.connection, asked.began != nil)
      return
    }
    let isSilent = asked.began == nil && asked.started.map { $0 + patience <= now } ?? false
    guard settings.hedges, asked.started == nil || isCrawling(asked, at: now) || isSilent else { return }
    remove(name, at: now)
    takenBack.insert(asked.chunk)
    guard asked.started != nil, asked.verified == 0 else { return }
    fail(line.peer)
    if asked.began == nil {
      lines[name.connection]!.isProven = false
      silent.insert(line.peer)
    }
  }

  /// Whether a request, at its rate so far, would take more than half a timeout.
  func isLate(_ asked: Asked, since started: Instant, at now: Instant) -> Bool {
    let share = Double(arrived(asked)) / Double(countedBytes(of: asked.leaves, in: asked.chunk))
    return (now - started).inSeconds > share * settings.chunkTimeout.inSeconds / 2
  }

  /// Returns the bytes of an answer that have arrived. In a file, each leaf counts as full.
  private func arrived(_ asked: Asked) -> Int {
    guard layout.folder != nil else { return asked.verified.nonzeroBitCount * layout.leafSize }
    return layout.length(ofLeaves: asked.verified, in: asked.chunk)
  }

  private func countedBytes(of leaves: LeafRange, in chunk: ChunkIndex) -> Int {
    layout.folder == nil ? leaves.count * layout.leafSize : layout.length(of: leaves, in: chunk)
  }

  /// Returns the size by which the duration of a chunk is judged.
  func countedBytes(of chunk: ChunkIndex) -> Double {
    Double(layout.folder == nil ? layout.chunkSize : layout.length(of: chunk))
  }

  private mutating func remove(_ name: RequestName, at now: Instant) {
    expectedCancels.insert(name)
    lines[name.connection]!.asked.removeAll { $0.id == name.request }
    startClock(name.connection, at: now)
  }

  /// Whether an answer began at least a quarter of a second ago and is slower than an eighth of the rate of the fastest
  /// answer. Four of its leaves may still be in transit.
  private func isCrawling(_ asked: Asked, at now: Instant) -> Bool {
    guard let began = asked.began, (now - began).inSeconds >= 0.25 else { return false }
    let bytes = Double(arrived(asked) + 4 * layout.leafSize)
    return bytes / (now - began).inSeconds < rateMost / 8 * 1.000_001
  }

  /// A failed chunk or page is requested again.
  private mutating func endRest(of item: Troubled, at now: Instant) {
    if let until = restAtLeast[item], until > now { breakRule("\(item) is asked for before its delay is over") }
    restAtLeast[item] = nil
    restAtMost[item] = nil
  }

  private mutating func dial(_ address: PeerAddress, _ id: ConnectionID, at now: Instant) {
    if bannedAddresses.contains(address) { breakRule("the address of a liar is dialled") }
    if dials.values.contains(address) || lines.keys.contains(where: { addresses[$0] == address }) {
      breakRule("an address is dialled twice at a time")
    }
    dials[id] = address
    addresses[id] = address
    if awaitedAddresses.remove(address) != nil, let since = idleSince[address], now - since < .seconds(5) {
      breakRule("port \(address.port) is dialled again at once, and had no room")
    }
    idleSince[address] = nil
    if joined.isEmpty, turnAways[address, default: 0] > 3 {
      breakRule("port \(address.port) is dialled again, and had no room four times")
    }
    if dials.count > settings.dialsMax { breakRule("too many dials") }
    if dials.count + lines.count > settings.connectionsMax { breakRule("too many connections") }
  }

  private mutating func fetch(_ page: PageIndex, _ id: ConnectionID, at now: Instant) {
    guard let line = lines[id], line.isOpen else { return breakRule("a page is asked of who has not opened the file") }
    if line.page != nil { breakRule("two pages are asked of one peer") }
    if pagesHeld.contains(page) { breakRule("a page is asked for that is at hand") }
    if pagesVerified.contains(page) { breakRule("a verified page is asked for again") }
    if pages.chunks(of: page).allSatisfy({ due[$0] == 0 }) { breakRule("a page of unwanted chunks is asked for") }
    let others = lines.values.filter { $0.page == page }
    if others.count > 1 { breakRule("a page is asked of three") }
    if let other = others.first, let asked = other.pageAskedAt, !settings.hedges || asked + .seconds(2) > now {
      breakRule("a page is asked of two too early")
    }
    if isBusy(line.peer, at: now) { breakRule("a page is asked of who is busy") }
    if let wrong = misplaced(.page(page), on: id, at: now) { breakRule(wrong) }
    endRest(of: .page(page), at: now)
    lines[id]!.page = page
    lines[id]!.pageAskedAt = now
    lines[id]!.pageDue = now + settings.chunkTimeout
  }

  /// A request may have gaps, but at least half of its bytes must be needed.
  private mutating func checkSpan(_ leaves: LeafRange, _ needed: UInt64, of chunk: ChunkIndex) {
    let index = Int(chunk.rawValue)
    if verified[index] & needed != 0 { breakRule("verified leaves of chunk \(index) are fetched again") }
    if needed & ~due[index] != 0 { breakRule("leaves of chunk \(index) are fetched that are not wanted") }
    if needed != due[index] & ~verified[index] & leaves.mask {
      breakRule("a request for chunk \(index) does not keep what is missing")
    }
    if needed & 1 << UInt64(leaves.first) == 0 || needed & 1 << UInt64(leaves.end - 1) == 0 {
      breakRule("a request for chunk \(index) begins or ends with a leaf that is not needed")
    }
    if 2 * layout.length(ofLeaves: needed, in: chunk) < layout.length(of: leaves, in: chunk) {
      breakRule("more than half of a request for chunk \(index) is not needed")
    }
  }

  private mutating func ask(
    _ id: ConnectionID, _ request: RequestID, _ chunk: ChunkIndex, _ leaves: LeafRange, _ needed: UInt64,
    at now: Instant
  ) {
    guard let line = lines[id], line.isOpen else { return breakRule("a chunk is asked of who has not opened the file") }
    let index = Int(chunk.rawValue)
    if let last = line.lastRequest, request <= last { breakRule("request ids do not increase") }
    if banned.contains(line.peer) { breakRule("a banned peer is asked") }
    if isBusy(line.peer, at: now) { breakRule("a busy peer is asked before its time") }
    if let until = restUntil[index], until > now { breakRule("chunk \(index) is asked for before its delay is over") }
    restUntil[index] = nil
    endRest(of: .chunk(index), at: now)
    let isTakenOver = takenBack.remove(chunk) != nil
    if !isListed(chunk) { breakRule("a chunk is asked for before its page is there") }
    if index >= windowEnd {
      breakRule("chunk \(index) is beyond the window")
    }
    // A folder's chunks may be small, so more requests may be in flight.
    let inFlightMax = layout.folder == nil ? settings.requestsInFlightMax : 64
    let depthMax = line.isProven ? min(inFlightMax, line.requestsMax) : 1
    if line.asked.count + 1 > depthMax { breakRule("\(line.asked.count + 1) requests in flight, at most \(depthMax)") }
    let others = askers(of: chunk)
    if others.count + 1 > 2 { breakRule("chunk \(index) has a third asker") }
    if let other = others.first, !isTakenOver { hedge(chunk, leaves, needed, besides: other, id, at: now) }
    if let wrong = misplaced(.chunk(index), on: id, isTakenOver: isTakenOver, at: now) { breakRule(wrong) }
    if let held = line.held, leaves.mask & ~held[index] != 0 { breakRule("leaves are asked of a peer that lacks them") }
    lines[id]!.lastRequest = request
    lines[id]!.asked.append(
      Asked(
        id: request, chunk: chunk, leaves: leaves, needed: needed, sent: now,
        isHedge: !others.isEmpty && !isTakenOver))
    startClock(id, at: now)
  }

  private mutating func hedge(
    _ chunk: ChunkIndex, _ leaves: LeafRange, _ needed: UInt64, besides other: (id: ConnectionID, asked: Asked),
    _ id: ConnectionID, at now: Instant
  ) {
    hedgeCount += 1
    if !settings.hedges { breakRule("a second asker although there shall be none") }
    if other.id == id { breakRule("a peer is its own second asker") }
    let hedges = lines.values.flatMap(\.asked).filter(\.isHedge).map { ($0.leaves, $0.chunk) } + [(leaves, chunk)]
    let hedgedBytes = hedges.reduce(0) { $0 + UInt64(layout.length(of: $1.0, in: $1.1)) }
    let count = Double(turnarounds.count)
    let budget = max(wantedBytes / 20, count > 0 ? 0 : UInt64(layout.chunkSize))
    if duplicateBytes + hedgedBytes > budget { breakRule("second askers may cost more than 5 % of the file") }
    if isTail(needed, of: other.asked), lines[id]!.asked.isEmpty { return }
    if count > 0, !proven.contains(lines[id]!.peer) { breakRule("a stranger is a second asker") }
    guard count > 0 else {
      if now - other.asked.sent < .seconds(2) { breakRule("a second asker before anything was measured") }
      return
    }
    let mean = turnarounds.reduce(0, +) / count
    let variance = turnarounds.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
    // A larger chunk may take longer. A smaller one gets the full time: it costs a round trip all the same.
    let size = max(1, countedBytes(of: chunk) / (turnaroundSizes.reduce(0, +) / count))
    let threshold = (mean + 4 * max(variance.squareRoot(), mean / 4)) * size
    if (now - other.asked.sent).inSeconds < threshold * 0.999_999 - 1e-6 { breakRule("a second asker too early") }
  }

  /// Whether leaves are the tail of what is still missing of a request whose answer has begun.
  private func isTail(_ needed: UInt64, of asked: Asked) -> Bool {
    let rest = asked.needed & ~verified[Int(asked.chunk.rawValue)]
    return asked.started != nil && needed & ~rest == 0 && needed.trailingZeroBitCount > rest.trailingZeroBitCount
  }

  private mutating func see(_ report: DownloadReport, at now: Instant) {
    told.add(report)
    switch report {
    case .started: hasStarted = true
    case .chunkRetry(let chunk, let peer, let reason, let attempt, let delay):
      let place = expectedRetries.firstIndex {
        $0.chunk == chunk && $0.peer == peer && $0.reason == reason && $0.attempt == attempt
      }
      guard let place else {
        let book = troubles[.chunk(Int(chunk.rawValue))].map { "\($0)" } ?? "nothing"
        return breakRule("retry \(attempt) of chunk \(chunk.rawValue) by \(peer) for \(reason) is not due: \(book)")
      }
      let retry = expectedRetries.remove(at: place)
      let base = min(0.5 * Double(1 << min(retry.lostRounds - 1, 10)), 10)
      if !(0.8 * base - 1e-6...1.2 * base + 1e-6).contains(delay.inSeconds) {
        breakRule("retry \(attempt) waits \(delay.inSeconds) s")
      }
      retryCount += 1
      if !isHad(chunk) { restUntil[Int(chunk.rawValue)] = retry.at + delay }
    case .peerBanned(let peer):
      seenBans.insert(peer)
      if anchors.contains(peer) { breakRule("an honest peer is banned") }
    case .peerFailed(let peer, let failure): see(failure, of: peer, at: now)
    case .usingWorkers, .chunkDone, .chunkFailed, .chunkHedged, .peerJoined, .peerLost: break
    }
  }

  /// A failure is reported. It must be a recorded one, or the failure of a stranger that is silent about a page.
  private mutating func see(_ failure: PeerFailure, of peer: PeerID, at now: Instant) {
    if failure == .lie { return }
    if let (loser, chunk, connection, hasBegun) = lateLoss, loser == peer {
      lateLoss = nil
      standings[peer, default: Standing()].score = max(0, standings[peer, default: Standing()].score - 25)
      standings[peer]!.failures += 1
      guard failure == .timeout else {
        if !hasBegun {
          lines[connection]?.isProven = false
          silent.insert(peer)
        }
        return
      }
      takenBack.remove(chunk)
      fail(.chunk(Int(chunk.rawValue)), by: peer, .timeout, hasLeft: false, wasSilent: true)
      return settle(.chunk(Int(chunk.rawValue)), at: now)
    }
    if let count = expectedFailures[peer], count > 0 {
      expectedFailures[peer] = count - 1
      return
    }
    let line = lines.first { $0.value.peer == peer && $0.value.page != nil }
    let isShared = lines.values.count { $0.page != nil && $0.page == line?.value.page } > 1
    guard failure == .timeout, !proven.contains(peer) || isShared, let (id, line) = line, let page = line.page,
      let asked = line.pageAskedAt, asked + patience(with: peer, for: .page(page)) <= now,
      isAnotherLeft(than: peer, for: .page(page), at: now)
    else { return breakRule("\(peer) has failed by \(failure), as far as is said") }
    standings[peer, default: Standing()].score = max(0, standings[peer, default: Standing()].score - 25)
    standings[peer]!.failures += 1
    failPage(id, .timeout, wasSilent: true)
    settle(.page(page), at: now)
  }
}
