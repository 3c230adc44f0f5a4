// What must not last: a late stranger while a trusted peer could answer, and a download that receives nothing.
import Content
import Transfer
import Wire

extension RuleBook {
  /// Records which strangers are late with requests that a trusted peer could take over. They lose these next.
  mutating func noteLateRequests(at now: Instant) {
    patienceMost = max(patienceMost, patience)
    var late: [RequestName: Instant] = [:]
    for (id, line) in lines where !proven.contains(line.peer) {
      guard let asked = line.asked.first(where: { !$0.isEnded }), isLost(asked, of: line.peer, at: now) else {
        continue
      }
      let name = RequestName(connection: id, request: asked.id)
      late[name] = lateSince[name] ?? now
      if now - late[name]! > .milliseconds(501) {
        breakRule("the stranger \(line.peer) keeps chunk \(asked.chunk.rawValue), which a trusted peer could give")
      }
    }
    lateSince = late
  }

  /// Records that a second peer must be asked. Only in the plainest case: nothing was measured yet, one request is under
  /// way, it is late, and a trusted peer with the whole content is idle.
  mutating func noteMissingHedge(at now: Instant) {
    guard isRunning, settings.hedges, settings.maxWorkers > 1, turnarounds.isEmpty, hedgeCount == 0,
      duplicateBytes == 0, let holder = lines.first(where: { !$0.value.asked.isEmpty }),
      lines.values.allSatisfy({ $0.asked.isEmpty || $0.peer == holder.value.peer }),
      let asked = holder.value.asked.first, holder.value.asked.count == 1, !asked.isEnded,
      asked.sent + .seconds(2) < now,
      lines.values.contains(where: { isIdleHelper($0, besides: holder.value.peer, for: asked.chunk, at: now) })
    else { return hedgeDueSince = nil }
    let since = hedgeDueSince ?? now
    hedgeDueSince = since
    if now - since > .seconds(1) {
      breakRule("chunk \(asked.chunk.rawValue) is late, and an idle peer is not asked for it")
    }
  }

  private func isIdleHelper(_ line: Line, besides holder: PeerID, for chunk: ChunkIndex, at now: Instant) -> Bool {
    line.peer != holder && line.isOpen && isTrusted(line.peer) && line.asked.isEmpty && line.held == nil
      && !isBusy(line.peer, at: now) && standings[line.peer]?.onlyRefuses != true
      && troubles[.chunk(Int(chunk.rawValue))] == nil
  }

  /// Whether a stranger must lose a request. The engine checks when its patience ends, which may have been longer at
  /// the last check.
  private func isLost(_ asked: Asked, of peer: PeerID, at now: Instant) -> Bool {
    let item = Troubled.chunk(Int(asked.chunk.rawValue))
    guard let started = asked.started, isLate(asked, since: started, at: now) else { return false }
    return started + max(patience(with: peer, for: item), patienceMost) + .microseconds(2) <= now
      && isTrustedOneLeft(besides: peer, for: item, at: now)
  }

  /// Whether the download should have ended, because it has only strangers and they gave nothing for four timeouts, or
  /// because no peer gave anything for sixteen.
  mutating func overdueEnd(at now: Instant) -> String? {
    if isTrustedPeerGiving { lastHope = now }
    if isReaderLate { lastReading = now }
    if !pagesHeld.isEmpty || isComparingShared { (lastHope, lastReading) = (now, now) }
    guard isRunning, !hasEnded, settings.patience == .none else { return nil }
    if max(lastLeaf, lastHope) + settings.chunkTimeout * 4 < now {
      return "the download should have ended: strangers have given nothing since \(lastLeaf.inSeconds) s"
    }
    if max(lastLeaf, lastReading) + settings.chunkTimeout * 16 < now {
      return "the download should have ended: nothing has come since \(lastLeaf.inSeconds) s"
    }
    return nil
  }

  /// Whether a connected peer that is proven or named has something that is missing, and does more than refuse.
  var isTrustedPeerGiving: Bool {
    lines.values.contains { line in
      line.isOpen && isTrusted(line.peer) && standings[line.peer]?.onlyRefuses != true && hasAnything(line)
    }
  }
}
