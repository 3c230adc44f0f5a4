// The rules of retries: what a failure costs, and who is asked next.
import Content
import Transfer
import Wire

/// A chunk or a page that failed.
enum Troubled: Hashable {
  case chunk(Int)
  case page(PageIndex)
}

/// The book of one that failed: who was to give it, who did not, and what that cost.
struct Trouble {
  /// The peers that were there at the first failure of the round; nil between two rounds.
  var members: Set<PeerID>?
  var failedNow: Set<PeerID> = []
  /// Of these, those that were only late.
  var silentNow: Set<PeerID> = []
  var failedBefore: Set<PeerID> = []
  var retries = 0
  var lostRounds = 0
  var leavesGained = 0
  /// The last failure; nil before the first.
  var last: (peer: PeerID, reason: RetryReason)?
}

extension RuleBook {
  func isTrusted(_ peer: PeerID) -> Bool { proven.contains(peer) || named.contains(peer) }

  /// Whether a peer is connected and has the file open.
  private func isLive(_ peer: PeerID) -> Bool { lines.values.contains { $0.peer == peer && $0.isOpen } }

  /// Whether a peer is connected and has something of what is missing.
  private func isHolding(_ peer: PeerID, _ item: Troubled) -> Bool {
    lines.values.contains { $0.peer == peer && holds($0, item) }
  }

  func holds(_ line: Line, _ item: Troubled) -> Bool {
    guard line.isOpen else { return false }
    guard let held = line.held else { return true }
    return switch item {
    case .chunk(let chunk): held[chunk] & missing(chunk) != 0
    case .page(let page): pages.chunks(of: page).contains { held[$0] != 0 }
    }
  }

  var patience: Duration {
    let mean = turnarounds.isEmpty ? 0 : turnarounds.reduce(0, +) / Double(turnarounds.count)
    // The mean is summed up in another order here: a microsecond is no matter.
    return max(.seconds(2), .nanoseconds(Int64(mean * 4e9))) - .microseconds(1)
  }

  /// How long a peer may keep something from others: longer in each further round, where it is trusted.
  func patience(with peer: PeerID, for item: Troubled) -> Duration {
    let lost = isTrusted(peer) ? troubles[item]?.lostRounds ?? 0 : 0
    return lost == 0 ? patience : min(patience * (1 << (2 * min(lost, 8))), settings.chunkTimeout) - .microseconds(1)
  }

  /// Since when the first request of a connection has waited for its first byte.
  func silentSince(_ line: Line) -> Instant? {
    line.asked.first { !$0.isEnded }.flatMap { $0.began == nil && $0.verified == 0 ? $0.started : nil }
  }

  private func isSilent(_ line: Line, at now: Instant) -> Bool {
    silentSince(line).map { $0 + patience <= now } ?? false
  }

  /// Whether a peer can be expected to give something now that it has not failed in this round.
  private func canGive(_ line: Line, _ item: Troubled, at now: Instant) -> Bool {
    troubles[item]?.failedNow.contains(line.peer) != true && !isBusy(line.peer, at: now) && !isSilent(line, at: now)
      && holds(line, item)
  }

  /// Whether a peer other than this one could give something that it has not failed in this round.
  func isAnotherLeft(than peer: PeerID, for item: Troubled, at now: Instant) -> Bool {
    lines.values.contains { $0.peer != peer && canGive($0, item, at: now) }
  }

  /// The same, and the user named the other peer or it is proven: it is never paced.
  func isTrustedOneLeft(besides peer: PeerID, for item: Troubled, at now: Instant) -> Bool {
    lines.values.contains { $0.peer != peer && isTrusted($0.peer) && canGive($0, item, at: now) }
  }

  // MARK: Failures

  /// A peer has not given a chunk or page. A proven one that has left may come back.
  mutating func fail(
    _ item: Troubled, by peer: PeerID, _ reason: RetryReason, hasLeft: Bool, wasSilent: Bool = false
  ) {
    var trouble = troubles[item] ?? Trouble()
    trouble.last = (peer, reason)
    if trouble.members == nil { trouble.members = members(for: item, including: peer) }
    if !hasLeft || !proven.contains(peer) { trouble.failedNow.insert(peer) }
    if wasSilent { trouble.silentNow.insert(peer) }
    troubles[item] = trouble
  }

  /// The peers that have it now, of strangers at most four of one address.
  private func members(for item: Troubled, including peer: PeerID) -> Set<PeerID> {
    var members: Set<PeerID> = [peer]
    var strangers: [AddressGroup?: Int] = isTrusted(peer) ? [:] : [groups[peer]: 1]
    for other in joined where other != peer {
      guard lines.values.contains(where: { $0.peer == other && holds($0, item) }) else { continue }
      if !isTrusted(other) {
        guard strangers[groups[other], default: 0] < 4 else { continue }
        strangers[groups[other], default: 0] += 1
      }
      members.insert(other)
    }
    return members
  }

  /// Whether a peer has answered by nothing but BUSY for a timeout.
  private func onlyRefuses(_ peer: PeerID) -> Bool { standings[peer]?.onlyRefuses ?? false }

  /// Ends the rounds that are over.
  mutating func settleRounds(at now: Instant) {
    for item in troubles.keys.sorted(by: { "\($0)" < "\($1)" }) { settle(item, at: now) }
  }

  mutating func settle(_ item: Troubled, at now: Instant) {
    guard var trouble = troubles[item], let members = trouble.members, isUnasked(item),
      members.allSatisfy({ trouble.failedNow.contains($0) || onlyRefuses($0) || !isHolding($0, item) }),
      !lines.values.contains(where: { line in
        isTrusted(line.peer) && !trouble.failedNow.contains(line.peer) && holds(line, item)
          && !onlyRefuses(line.peer)
      })
    else { return }
    let wasSilent = trouble.silentNow.contains(where: isTrusted)
    let costsRetry =
      !wasSilent && !isAwaited(besides: members.union(trouble.failedNow), at: now)
      && (members.contains(where: isTrusted) || !isTrustedPeerKnown)
    trouble.lostRounds += 1
    if costsRetry { trouble.retries += 1 }
    trouble.leavesGained = 0
    trouble.failedBefore.formUnion(trouble.failedNow)
    (trouble.failedNow, trouble.silentNow) = ([], [])
    trouble.members = nil
    troubles[item] = trouble
    let delay = min(0.5 * Double(1 << min(trouble.lostRounds - 1, 10)), 10)
    restAtLeast[item] = now + (.nanoseconds(Int64(delay * 0.8e9)) - .microseconds(1))
    switch item {
    case .page(let page):
      if isOutOfRetries(item), settings.patience == .none { return expectedEnds.append(.pageOutOfRetries(page)) }
    case .chunk(let index):
      let chunk = ChunkIndex(UInt32(index))
      if isOutOfRetries(item), settings.patience == .none { return expectedEnds.append(.outOfRetries(chunk)) }
      if costsRetry, !isOutOfRetries(item), let last = trouble.last {
        expectedRetries.append(
          Retry(
            chunk: chunk, peer: last.peer, attempt: trouble.retries, reason: last.reason, at: now,
            lostRounds: trouble.lostRounds))
        return
      }
    }
    restAtMost[item] = now + .nanoseconds(Int64(delay * 1.2e9))
  }

  /// Whether nobody is asked for it, and it does not wait.
  private func isUnasked(_ item: Troubled) -> Bool {
    switch item {
    case .page(let page):
      !pagesVerified.contains(page) && !pagesHeld.contains(page) && !lines.values.contains { $0.page == page }
    case .chunk(let index): askers(of: ChunkIndex(UInt32(index))).isEmpty && !isHad(ChunkIndex(UInt32(index)))
    }
  }

  /// Whether a peer of the start, or a trusted one that had no try in the round, is about to come, or was there a moment
  /// ago.
  private func isAwaited(besides tried: Set<PeerID>, at now: Instant) -> Bool {
    firstAddresses.contains {
      !bannedAddresses.contains($0) && !dismissedAddresses.contains($0) && !resolvedAddresses.contains($0)
    }
      || joined.contains { peer in
        guard let lost = lostAt[peer], isTrusted(peer), !banned.contains(peer), !tried.contains(peer) else {
          return false
        }
        return !isLive(peer) && dialled.contains(peer) && now - lost < settings.chunkTimeout
      }
  }

  /// Whether a trusted peer may yet come.
  private var isTrustedPeerKnown: Bool {
    namedAddresses.contains { !bannedAddresses.contains($0) && !dismissedAddresses.contains($0) }
      || joined.contains { isTrusted($0) && !banned.contains($0) && isLive($0) }
  }

  /// A peer gives a chunk or page back, which is no failure: the others that have it come first from then on.
  /// Unless it was there for less than half a second: that counts from the fifth time on.
  mutating func giveBack(_ item: Troubled, by peer: PeerID, since: Instant?, at now: Instant) {
    if case .page(let page) = item, pagesVerified.contains(page) { return }
    if case .chunk(let index) = item, isHad(ChunkIndex(UInt32(index))) { return }
    if now - (since ?? now) < .milliseconds(500) {
      promptReturns[item, default: 0] += 1
      if promptReturns[item]! < 5 { return }
    }
    troubles[item, default: Trouble()].failedBefore.insert(peer)
  }

  /// Leaves of a chunk came: enough of them give its retries back.
  mutating func gain(_ leafCount: Int, of chunk: Int) {
    guard troubles[.chunk(chunk)] != nil else { return }
    troubles[.chunk(chunk)]!.leavesGained += leafCount
    guard troubles[.chunk(chunk)]!.leavesGained >= 4 else { return }
    troubles[.chunk(chunk)]!.retries = 0
    troubles[.chunk(chunk)]!.lostRounds = 0
    troubles[.chunk(chunk)]!.leavesGained = 0
  }

  // MARK: The choice of a peer

  /// What is wrong with asking a peer for something that failed; nil: nothing.
  /// - `isTakenOver`: it was taken from another peer that is late with it: any idle peer that has not failed it will do.
  func misplaced(_ item: Troubled, on id: ConnectionID, isTakenOver: Bool = false, at now: Instant) -> String? {
    guard let trouble = troubles[item], let line = lines[id] else { return nil }
    if trouble.failedNow.contains(line.peer) { return "\(item) goes back to \(line.peer), who failed it" }
    if !isUnasked(item) || isTakenOver { return nil }
    let own = place(of: line.peer, in: trouble)
    let better = lines.values.first { other in
      other.peer != line.peer && isTrusted(other.peer) && place(of: other.peer, in: trouble) < own
        && canGive(other, item, at: now)
    }
    return better.map { "\(item) goes to \(line.peer), although \($0.peer) comes first" }
  }

  /// The place of a peer in the order in which peers are asked for something that failed: those that have not failed it
  /// first, and of these the proven ones that answer, then those that the user named, then those that were dialled. Peers
  /// that only refuse come last.
  private func place(of peer: PeerID, in trouble: Trouble) -> Int {
    let trust =
      if proven.contains(peer), !silent.contains(peer) {
        0
      } else if named.contains(peer) {
        1
      } else {
        cameIn.contains(peer) ? 3 : 2
      }
    return trust + (trouble.failedBefore.contains(peer) ? 4 : 0) + (onlyRefuses(peer) ? 8 : 0)
  }

  /// Whether a peer should be asked for something that failed, as far as the book can tell.
  func isDue(_ item: Troubled, from peer: PeerID, at now: Instant) -> Bool {
    // Strangers are paced.
    guard isTrusted(peer) else { return false }
    if let until = restAtMost[item], until >= now { return false }
    return troubles[item]?.failedNow.contains(peer) != true
  }
}
