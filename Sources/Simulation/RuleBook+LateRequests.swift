// What must not go on: a stranger that is late while a trusted peer could answer, and a download that gets nothing.
import Content
import Transfer
import Wire

extension RuleBook {
  /// Notes which strangers are late with what a trusted peer could take over. They lose it at the next look at them.
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

  /// Whether a stranger that is asked for something has to lose it. The engine looks when its patience ends, which may
  /// have been longer when it last looked.
  private func isLost(_ asked: Asked, of peer: PeerID, at now: Instant) -> Bool {
    let item = Troubled.chunk(Int(asked.chunk.rawValue))
    guard let started = asked.started, isLate(asked, since: started, at: now) else { return false }
    return started + max(patience(with: peer, for: item), patienceMost) + .microseconds(2) <= now
      && isTrustedOneLeft(besides: peer, for: item, at: now)
  }

  /// Whether the download should have ended, because strangers alone gave nothing for four timeouts, or because no peer
  /// gave anything for sixteen.
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

  /// Whether a proven or named peer is connected that has something of what is missing, and does not only refuse.
  var isTrustedPeerGiving: Bool {
    lines.values.contains { line in
      line.isOpen && isTrusted(line.peer) && standings[line.peer]?.onlyRefuses != true && hasAnything(line)
    }
  }
}
