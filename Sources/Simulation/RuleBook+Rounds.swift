// The rules of retries: what a failure costs, and which peer is asked next.
import Content
import Transfer
import Wire

/// A chunk or a page that failed.
enum Troubled: Hashable {
  case chunk(Int)
  case page(PageIndex)
}

/// The record of a failed chunk or page: which peers should give it, which of them failed, and what the failures cost.
struct Trouble {
  /// The peers that had it at the first failure of the round. Nil between two rounds.
  var members: Set<PeerID>?
  var failedNow: Set<PeerID> = []
  /// The peers of `failedNow` that were only late.
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

  /// Whether a peer is connected and has the item or a part of it.
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
    // The engine adds up the mean in another order. Allow for a microsecond.
    return max(.seconds(2), .nanoseconds(Int64(mean * 4e9))) - .microseconds(1)
  }

  /// Returns how long a peer may keep an item from others. A trusted peer gets more time in each further round.
  func patience(with peer: PeerID, for item: Troubled) -> Duration {
    let lost = isTrusted(peer) ? troubles[item]?.lostRounds ?? 0 : 0
    return lost == 0 ? patience : min(patience * (1 << (2 * min(lost, 8))), settings.chunkTimeout) - .microseconds(1)
  }

  /// Returns since when the first request of a connection waits for its first byte.
  func silentSince(_ line: Line) -> Instant? {
    line.asked.first { !$0.isEnded }.flatMap { $0.began == nil && $0.verified == 0 ? $0.started : nil }
  }

  private func isSilent(_ line: Line, at now: Instant) -> Bool {
    silentSince(line).map { $0 + patience <= now } ?? false
  }

  /// Whether a peer that has not failed the item in this round can be expected to give it now.
  private func canGive(_ line: Line, _ item: Troubled, at now: Instant) -> Bool {
    troubles[item]?.failedNow.contains(line.peer) != true && !isBusy(line.peer, at: now) && !isSilent(line, at: now)
      && holds(line, item)
  }

  /// Whether a peer other than this one can be expected to give the item.
  func isAnotherLeft(than peer: PeerID, for item: Troubled, at now: Instant) -> Bool {
    lines.values.contains { $0.peer != peer && canGive($0, item, at: now) }
  }

  /// Does the same for peers that are proven or that the user named. Such peers are not paced.
  func isTrustedOneLeft(besides peer: PeerID, for item: Troubled, at now: Instant) -> Bool {
    lines.values.contains { $0.peer != peer && isTrusted($0.peer) && canGive($0, item, at: now) }
  }

  // MARK: Failures

  /// A peer has failed to give a chunk or page. If a proven peer has left, it may come back.
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

  /// Returns the peers that have the item now; of the strangers, at most four of each address group.
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

  /// Whether a peer has answered only BUSY for a timeout.
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

  /// Whether no peer is asked for the item and it still has to be asked for.
  private func isUnasked(_ item: Troubled) -> Bool {
    switch item {
    case .page(let page):
      !pagesVerified.contains(page) && !pagesHeld.contains(page) && !lines.values.contains { $0.page == page }
    case .chunk(let index): askers(of: ChunkIndex(UInt32(index))).isEmpty && !isHad(ChunkIndex(UInt32(index)))
    }
  }

  /// Whether a peer may soon be there: one of the first addresses, or a trusted one that was lost a moment ago and has
  /// not been asked in this round.
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

  /// Whether a trusted peer may still come.
  private var isTrustedPeerKnown: Bool {
    namedAddresses.contains { !bannedAddresses.contains($0) && !dismissedAddresses.contains($0) }
      || joined.contains { isTrusted($0) && !banned.contains($0) && isLive($0) }
  }

  /// A peer gives a chunk or page back without a failure. From then on the others that have it are asked first. If the
  /// peer held it for less than half a second, that applies only from the fifth time on.
  mutating func giveBack(_ item: Troubled, by peer: PeerID, since: Instant?, at now: Instant) {
    if case .page(let page) = item, pagesVerified.contains(page) { return }
    if case .chunk(let index) = item, isHad(ChunkIndex(UInt32(index))) { return }
    if now - (since ?? now) < .milliseconds(500) {
      promptReturns[item, default: 0] += 1
      if promptReturns[item]! < 5 { return }
    }
    troubles[item, default: Trouble()].failedBefore.insert(peer)
  }

  /// Leaves of a chunk arrived. Four of them reset its retries.
  mutating func gain(_ leafCount: Int, of chunk: Int) {
    guard troubles[.chunk(chunk)] != nil else { return }
    troubles[.chunk(chunk)]!.leavesGained += leafCount
    guard troubles[.chunk(chunk)]!.leavesGained >= 4 else { return }
    troubles[.chunk(chunk)]!.retries = 0
    troubles[.chunk(chunk)]!.lostRounds = 0
    troubles[.chunk(chunk)]!.leavesGained = 0
  }

  // MARK: The choice of a peer

  /// Returns why a peer must not be asked for a failed item. Nil if it may be asked.
  /// - `isTakenOver`: the item was taken from a late peer. Any idle peer that has not failed it may be asked.
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

  /// Returns the rank of a peer when a failed item is asked for again. Peers that have not failed it come first: of
  /// these, proven peers that answer, then peers that the user named, then peers that were dialled. Peers that only
  /// refuse come last.
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

  /// Whether a peer should be asked for a failed item, as far as this record shows.
  func isDue(_ item: Troubled, from peer: PeerID, at now: Instant) -> Bool {
    // Strangers are asked only now and then, so nothing is due from them.
    guard isTrusted(peer) else { return false }
    if let until = restAtMost[item], until >= now { return false }
    return troubles[item]?.failedNow.contains(peer) != true
  }
}
