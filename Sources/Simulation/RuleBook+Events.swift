// Records each event and the consequences that it must have.
import Content
import Transfer
import Wire

extension RuleBook {
  /// Records an event before the engine handles it.
  mutating func expect(_ event: DownloadEvent, at now: Instant) {
    if let overdue = overdue(at: now) { breakRule(overdue) }
    switch event {
    case .connected(let id, let peer, let requestsMax, let ip): connected(id, peer, requestsMax, from: ip, at: now)
    case .dialFailed(let id, let failure):
      dials[id] = nil
      if failure == .ourselves, let address = addresses[id] { dismissedAddresses.insert(address) }
      if failure != .ourselves { leave(id, at: now) }
    case .opened(let id, _, let isComplete): opened(id, isComplete: isComplete, at: now)
    case .refused(let id, _):
      if lines.removeValue(forKey: id) != nil { leave(id, at: now) }
    case .storageReady(let resumable):
      isRunning = true
      (lastLeaf, lastReading, lastGain) = (now, now, now)
      pagesHeld = Set(resumable.heldPages)
      isComparingShared = resumable.holdsSharedChunks
      resumed(resumable.leaves, at: now)
    case .resumed(let leaves): resumed(leaves, at: now)
    case .sharedChunksCompared: isComparingShared = false
    case .zone: break
    case .pageArrived(let page, let id):
      if lines[id]?.page == page {
        pagesHeld.insert(page)
        pagesArrived.insert(page)
        for id in lines.keys where lines[id]!.page == page {
          (lines[id]!.page, lines[id]!.pageAskedAt, lines[id]!.pageDue) = (nil, nil, nil)
        }
      }
    case .pageVerified(let page, _):
      for id in lines.keys where lines[id]!.page == page {
        (lines[id]!.page, lines[id]!.pageAskedAt, lines[id]!.pageDue) = (nil, nil, nil)
      }
      pagesVerified.insert(page)
      pagesHeld.remove(page)
      pagesArrived.remove(page)
      troubles[.page(page)] = nil
    case .leavesVerified(let id, let request, let chunk, let leaves, let needed, _):
      verified(id, request, chunk, leaves, needed & leaves.mask, at: now)
    case .answerBegan(let id, let request):
      heard(on: id, at: now)
      guard let place = lines[id]?.asked.firstIndex(where: { $0.id == request }) else { break }
      lines[id]!.asked[place].began = lines[id]!.asked[place].began ?? now
    case .answerEnded(let id, let request):
      heard(on: id, at: now)
      guard let place = lines[id]?.asked.firstIndex(where: { $0.id == request }) else { break }
      lines[id]!.asked[place].isEnded = true
      measure(lines[id]!.asked[place], at: now)
      startClock(id, at: now)
    case .busy(let id, let request, let retryAfter): busy(id, request, retryAfter, at: now)
    case .withdrawn(let id), .replaced(let id):
      giveBackAll(id, at: now)
      if let peer = lines[id]?.peer { lostAt[peer] = now }
      lines[id] = nil
      countLoss(id)
    case .lied(let id): lied(id)
    case .connectionLost(let id, let reason): lost(id, reason, at: now)
    case .writeFailed: expectedEnds = [.storage]
    case .cancelledByUser: expectedEnds = [.cancelled]
    case .consumed(let chunk):
      (consumedBelow, lastReading, lastGain) = (max(consumedBelow, Int(chunk.rawValue)), now, now)
    case .timerFired: timersFired(at: now)
    case .addressAdded(let address, let pinned):
      if let pinned {
        namedPeers.insert(pinned)
        pins[address] = pinned
      }
      namedAddresses.insert(address)
      firstAddresses.insert(address)
    case .addressHinted(let address, let pinned):
      if !namedAddresses.contains(address) { pins[address] = pinned }
      if isDiscovering { firstAddresses.insert(address) }
    case .discoveryFinished: isDiscovering = false
    case .have(let id, let runs): for run in runs { learn(id, Int(run.chunk.rawValue), run.leaves.mask) }
    case .bitmap(let id, let bitmap):
      for chunk in 0..<layout.chunkCount where bitmap.mask(ofWord: chunk / 64) & (1 << UInt64(chunk % 64)) != 0 {
        learn(id, chunk, .max)
      }
    case .foundHere, .promised, .peers: break
    case .othersServed: breakRule("a connection with one content serves others")
    }
    settleRounds(at: now)
  }

  /// Data on a connection postpones the timeout of a page that is due there.
  private mutating func heard(on id: ConnectionID, at now: Instant) {
    if lines[id]?.pageDue != nil { lines[id]!.pageDue = now + settings.chunkTimeout }
  }

  private mutating func learn(_ id: ConnectionID, _ chunk: Int, _ mask: UInt64) {
    guard chunk < layout.chunkCount else { return }
    let held = mask & whole(ChunkIndex(UInt32(chunk)))
    lines[id]?.held?[chunk] |= held
  }

  private mutating func resumed(_ leaves: [(chunk: ChunkIndex, mask: UInt64)], at now: Instant) {
    for (chunk, mask) in leaves {
      let wasHad = isHad(chunk)
      if mask & whole(chunk) & ~verified[Int(chunk.rawValue)] != 0 { (lastLeaf, lastGain) = (now, now) }
      let before = verified[Int(chunk.rawValue)]
      verified[Int(chunk.rawValue)] |= mask & whole(chunk)
      expectFiles(of: chunk, before: before)
      if !wasHad, isHad(chunk) { resumedChunks += 1 }
    }
    if isAllHad { expectedEnds = [.complete] }
  }

  private mutating func verified(
    _ id: ConnectionID, _ request: RequestID, _ chunk: ChunkIndex, _ leaves: LeafRange, _ needed: UInt64,
    at now: Instant
  ) {
    heard(on: id, at: now)
    if let asked = lines[id]?.asked.first(where: { $0.id == request }), needed != asked.needed & leaves.mask {
      breakRule("leaves of chunk \(chunk.rawValue) are written that are not needed")
    }
    let others = askers(of: chunk).filter { $0.id != id || $0.asked.id != request }
    let before = verified[Int(chunk.rawValue)]
    verified[Int(chunk.rawValue)] |= needed
    expectFiles(of: chunk, before: before)
    count(leaves, needed, of: chunk, verifiedBefore: before)
    let new = needed & whole(chunk) & ~before
    if new != 0 {
      (lastProgress, lastLeaf, lastGain) = (now, now, now)
      gain(new.nonzeroBitCount, of: Int(chunk.rawValue))
    }
    if let line = lines[id], line.isOpen {
      standings[line.peer, default: Standing()].refusals = 0
      standings[line.peer]!.refusedSince = nil
      standings[line.peer]!.onlyRefuses = false
    }
    // The connection may already be lost.
    if let peer = peerOf[id] { silent.remove(peer) }
    if let place = lines[id]?.asked.firstIndex(where: { $0.id == request }) {
      lines[id]!.asked[place].verified |= leaves.mask
      let asked = lines[id]!.asked[place]
      if asked.verified == asked.leaves.mask {
        if !asked.isEnded { measure(asked, at: now) }
        lines[id]!.asked.remove(at: place)
        lines[id]!.isProven = true
        proven.insert(lines[id]!.peer)
        succeed(lines[id]!.peer, in: now - (asked.started ?? asked.sent))
        if asked.leaves.count * 2 >= layout.leafCount(of: chunk) {
          turnarounds.append((now - asked.sent).inSeconds)
          turnaroundSizes.append(countedBytes(of: chunk))
        }
        startClock(id, at: now)
      }
    }
    guard due[Int(chunk.rawValue)] & ~before != 0, isHad(chunk) else { return }
    restUntil[Int(chunk.rawValue)] = nil
    troubles[.chunk(Int(chunk.rawValue))] = nil
    // The connection may already be lost.
    if let peer = peerOf[id], joined.contains(peer) { standings[peer, default: Standing()].chunks += 1 }
    for (other, asked) in others { lose(other, asked, at: now) }
    if isAllHad { expectedEnds = [.complete] }
  }

  private mutating func measure(_ asked: Asked, at now: Instant) {
    let seconds = max((now - (asked.started ?? asked.sent)).inSeconds, 1e-6)
    rateMost = max(rateMost, Double(layout.length(of: asked.leaves, in: asked.chunk)) / seconds)
  }

  /// Another peer has delivered the chunk first.
  private mutating func lose(_ id: ConnectionID, _ asked: Asked, at now: Instant) {
    lines[id]!.asked.removeAll { $0.id == asked.id }
    if !asked.isEnded {
      expectedCancels.insert(RequestName(connection: id, request: asked.id))
      if asked.verified == 0, asked.started != nil { fail(lines[id]!.peer) }
    }
    startClock(id, at: now)
  }

  private mutating func busy(_ id: ConnectionID, _ request: RequestID, _ retryAfter: Duration, at now: Instant) {
    guard let line = lines[id], let place = line.asked.firstIndex(where: { $0.id == request }) else { return }
    lines[id]!.asked.remove(at: place)
    startClock(id, at: now)
    let asked = line.asked[place]
    giveBack(.chunk(Int(asked.chunk.rawValue)), by: line.peer, since: asked.started, at: now)
    standings[line.peer, default: Standing()].refusals += 1
    let since = standings[line.peer]!.refusedSince ?? now
    standings[line.peer]!.refusedSince = since
    if standings[line.peer]!.refusals > settings.maxRetries, now - since >= settings.chunkTimeout {
      standings[line.peer]!.onlyRefuses = true
    }
    rest(line.peer, until: now + min(max(retryAfter, .milliseconds(50)), .seconds(60)))
  }

  private mutating func rest(_ peer: PeerID, until end: Instant) {
    standings[peer, default: Standing()].busyUntil = max(end, standings[peer]?.busyUntil ?? end)
  }

  private mutating func timersFired(at now: Instant) {
    for id in lines.keys.sorted() {
      while let line = lines[id], let due = chunkDue(line), due <= now {
        dueCount += 1
        timeOut(id, line, at: now)
      }
      if let line = lines[id], let due = line.pageDue, due <= now {
        dueCount += 1
        fail(line.peer)
        silent.insert(line.peer)
        rest(line.peer, until: now + .milliseconds(500))
        failPage(id, .timeout)
      }
      if let line = lines[id], !line.isOpen, line.openDue <= now {
        lines[id] = nil
        leave(id, at: now)
      }
    }
    if settings.patience == .none, let since = unusableSince, since + settings.chunkTimeout <= now {
      expectedEnds.append(.withoutPeers)
    }
  }

  private mutating func timeOut(_ id: ConnectionID, _ line: Line, at now: Instant) {
    let first = line.asked[0]
    let given = line.asked.enumerated().filter { $0.offset == 0 || !$0.element.isEnded }.map(\.element)
    for asked in given where !asked.isEnded {
      expectedCancels.insert(RequestName(connection: id, request: asked.id))
    }
    lines[id]!.asked.removeAll { asked in given.contains { $0.id == asked.id } }
    lines[id]!.isProven = false
    silent.insert(line.peer)
    fail(line.peer)
    startClock(id, at: now)
    spend(first, of: line.peer, .timeout)
  }
}
