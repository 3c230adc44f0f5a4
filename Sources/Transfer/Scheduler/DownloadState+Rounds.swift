// Which peer is asked for a chunk or page that failed, and when a failure costs a retry.
import Content
import Wire

extension DownloadState {
  /// At most this many strangers of one address group join a round. More would only make it longer.
  static let strangersPerRoundMax = 4

  /// How long a peer may be silent before another one is asked.
  var patience: Duration { hedging.patience }

  /// Returns how long one peer may be silent. Bytes from outside the zone come late, because all nodes of the zone
  /// share the link. Asking another peer out there would only add to its load.
  func patience(with number: Int) -> Duration {
    isTooFarForHedge(number) ? max(patience, ZoneState.patience) : patience
  }

  // MARK: Order

  /// Returns the trust in a peer, 0 the highest: proven peers that answer, then peers that the user named, then peers
  /// that this node dialled, then peers that dialled this node.
  func trust(in number: Int) -> Int {
    peers[number].isProven && !peers[number].isSilent ? 0 : 1 + peers[number].origin.rawValue
  }

  /// Returns whether a peer is proven or the user named it.
  func isTrusted(_ number: Int) -> Bool { !peers[number].isStranger }

  /// Returns the rank of a peer for an item that failed, 0 the first. Nil if the peer has failed in this round. Peers
  /// that only refuse come last: BUSY is no failure, and several such peers could take turns for ever.
  private func precedence(of number: Int, in history: FailureHistory) -> Int? {
    let ranks = PeerOrigin.inbound.rawValue + 2
    let trust = peers[number].onlyRefuses ? trust(in: number) + 2 * ranks : trust(in: number)
    return switch history.standing(of: number) {
    case .untried: trust
    case .failedBefore: trust + ranks
    case .failedNow: nil
    }
  }

  /// Returns whether a peer has failed the item in the current round.
  func hasFailed(_ number: Int, _ item: FetchItem) -> Bool {
    !rounds.isEmpty && rounds[item]?.standing(of: number) == .failedNow
  }

  /// Returns whether a peer may be asked next for the item: it has not failed in this round, and no better peer can
  /// answer.
  func isTurn(of number: Int, for item: FetchItem, at now: Instant) -> Bool {
    guard !rounds.isEmpty, let history = rounds[item] else { return true }
    guard let own = precedence(of: number, in: history) else { return false }
    return !workers.live.contains { other in
      guard other != number, let place = precedence(of: other, in: history), place < own else { return false }
      return canAnswer(other, at: now) && holds(other, item)
    }
  }

  /// Returns the chunks that failed before and that this peer is not asked for now.
  func excluded(for number: Int, at now: Instant) -> Set<ChunkIndex> {
    if rounds.isEmpty { return [] }
    var excluded: Set<ChunkIndex> = []
    for chunk in rounds.chunks where chunks.isOpen(chunk) && !isTurn(of: number, for: .chunk(chunk), at: now) {
      excluded.insert(chunk)
    }
    return excluded
  }

  /// Returns whether the download expects a peer to answer now.
  private func canAnswer(_ number: Int, at now: Instant) -> Bool {
    guard let id = peers[number].connection, peers[number].busyUntil == nil, !isPaced(number) else { return false }
    return silentSince(id).map { $0 + patience > now } ?? true
  }

  /// Returns whether a peer has a missing leaf of a chunk, or a chunk of a page.
  func holds(_ number: Int, _ item: FetchItem) -> Bool {
    guard let id = peers[number].connection else { return false }
    switch item {
    case .chunk(let chunk): return connections.leaves(of: chunk, on: id) & chunks.missing(of: chunk) != 0
    case .page(let page):
      let range = pages.chunks(of: page)
      guard let first = connections.firstHeld(from: range.lowerBound, layout: chunks.layout, on: id) else {
        return false
      }
      return first < range.upperBound
    }
  }

  // MARK: Failures

  /// Counts a failure of a peer. It costs a retry once the round is over.
  /// - `how`: with `left` a proven peer has not failed, because it may come back.
  mutating func attemptFailed(
    _ item: FetchItem, by number: Int, _ reason: RetryReason, _ how: FailureHistory.Failing = .failed, at now: Instant
  ) {
    let members = rounds[item]?.members == nil ? members(for: item, including: number) : []
    let how = how == .left && !peers[number].isProven ? .failed : how
    rounds.fail(item, by: number, peers[number].id, reason, how, members: members)
    settleRound(of: item, at: now)
  }

  /// Notes that a peer gave a chunk or page back without a failure: BUSY, WITHDRAWN, or GOODBYE because it has no room.
  /// From now on the other peers that have it are asked first.
  /// - `since`: when the request became first in line, or the page was asked for. Nil: it waited behind another
  ///   request.
  mutating func gaveBack(_ item: FetchItem, by number: Int, since: Instant?, at now: Instant) {
    let wasEmpty = rounds.isEmpty
    rounds.gaveBack(item, by: number, heldFor: since.map { now - $0 } ?? .zero)
    guard wasEmpty, !rounds.isEmpty else { return }
    // From now on the silence of proven peers matters.
    for other in workers.live { if let id = peers[other].connection { watchSilence(of: id, at: now) } }
  }

  /// Returns the members of a new round: the live peers that have the item. Of the strangers of a group, the first to
  /// join.
  private func members(for item: FetchItem, including number: Int) -> Set<Int> {
    var members: Set<Int> = [number]
    var strangers: [AddressGroup?: Int] = [:]
    if peers[number].isStranger { strangers[peers[number].group] = 1 }
    let live = workers.live.sorted { peers[$0].place < peers[$1].place }
    for other in live where other != number && holds(other, item) {
      if peers[other].isStranger {
        guard strangers[peers[other].group, default: 0] < DownloadState.strangersPerRoundMax else { continue }
        strangers[peers[other].group, default: 0] += 1
      }
      members.insert(other)
    }
    return members
  }

  /// Ends every round that is over. A peer that came after the start of a round also keeps it open while it is
  /// connected.
  mutating func settleRounds(at now: Instant) {
    for item in rounds.underWay { settleRound(of: item, at: now) }
  }

  /// Ends a round if each member has failed, has left or has none of the missing leaves. Spends a retry, unless a peer
  /// may still help, and starts the delay.
  mutating func settleRound(of item: FetchItem, at now: Instant) {
    guard phase != .ended, isUnasked(item), let round = rounds[item], let members = round.members,
      rounds.isOver(item, canGive: { holds($0, item) && !peers[$0].onlyRefuses }),
      !isTrustedPeerLeft(for: item)
    else { return }
    let isAwaited = isAwaited(besides: members.union(round.failedNow), at: now)
    let costsRetry =
      !round.silentNow.contains(where: isTrusted) && !isAwaited
      && (members.contains(where: isTrusted) || !isTrustedPeerKnown)
    let history = rounds.end(item, costsRetry: costsRetry)
    let isOutOfRetries = history.retries > settings.maxRetries
    if isOutOfRetries, !waits(at: now) { return giveUp(item, history, at: now) }
    let delay = rounds.rest(item, at: now, using: &generator)
    switch item {
    case .page(let page): pages.rest(page)
    case .chunk(let chunk):
      chunks.rest(chunk)
      guard costsRetry, !isOutOfRetries, let last = history.lastFailure else { return }
      tally.stats.retries += 1
      report(
        .chunkRetry(
          chunk: chunk, peer: last.peer, reason: last.reason, attempt: history.retries, delay: delay))
    }
  }

  /// Returns whether a chunk or page is wanted and no peer is asked for it.
  private func isUnasked(_ item: FetchItem) -> Bool {
    switch item {
    case .chunk(let chunk): chunks.isOpen(chunk)
    case .page(let page): pages.isWanted(page)
    }
  }

  /// Returns whether a proven or named peer that has not failed in the round can still give the item.
  private func isTrustedPeerLeft(for item: FetchItem) -> Bool {
    workers.live.contains {
      isTrusted($0) && !hasFailed($0, item) && holds($0, item) && !peers[$0].onlyRefuses
    }
  }

  /// Returns whether an initial address has no outcome yet, or a trusted peer without a try in the round has just left.
  /// Until then failures of other peers spend no retry.
  /// - `tried`: the members of the round, and the peers that came later and failed in it.
  private func isAwaited(besides tried: Set<Int>, at now: Instant) -> Bool {
    book.isAnyAwaited
      || peers.indices.contains { number in
        guard let left = peers[number].leftAt, isTrusted(number), !peers[number].isBanned, !tried.contains(number)
        else {
          return false
        }
        return peers[number].address != nil && now - left < settings.chunkTimeout
      }
  }

  /// Whether a proven or named peer is connected or may still connect. Then failures of strangers alone cost no retry.
  private var isTrustedPeerKnown: Bool {
    book.namedAbsentCount > 0
      || peers.contains { peer in
        !peer.isStranger && !peer.isBanned && (peer.connection != nil || peer.isProven && peer.address != nil)
      }
  }

  mutating func giveUp(_ item: FetchItem, _ history: FailureHistory, at now: Instant) {
    switch item {
    case .page(let page): end(.pageOutOfRetries(page), at: now)
    case .chunk(let chunk):
      chunks.giveUp(chunk)
      tally.stats.failedChunks += 1
      if let last = history.lastFailure { report(.chunkFailed(chunk: chunk, peer: last.peer)) }
      end(.outOfRetries(chunk), at: now)
    }
  }

  mutating func wake(_ item: FetchItem) {
    switch item {
    case .chunk(let chunk): chunks.wake(chunk)
    case .page(let page):
      pages.wake(page)
      chunks.reconsider()
    }
  }

  // MARK: Silence

  /// Sets the time of the next check whether a connection has been silent for too long.
  mutating func watchSilence(of id: ConnectionID, at now: Instant) {
    guard timers[.patience(id)] == nil else { return }  // the timer checks again when it fires
    guard let since = [firstDueSince(id), connections.pageAskedAt(id)].compactMap({ $0 }).min() else {
      return
    }
    // The check repeats, because a peer that can take over may connect later.
    let patience = connections.peer(of: id).map { self.patience(with: $0) } ?? patience
    timers.set(.patience(id), at: max(since + patience, now + Hedging.patienceMin / 4))
  }

  /// Returns how long a peer may be silent about an item before another peer is asked. A named or proven peer gets more
  /// time in each further round, because it may be honest and slow.
  private func patience(with number: Int, for item: FetchItem) -> Duration {
    let patience = patience(with: number)
    guard isTrusted(number), let lostRounds = rounds[item]?.lostRounds, lostRounds > 0 else { return patience }
    return min(patience * (1 << (2 * min(lostRounds, 8))), settings.chunkTimeout)
  }

  /// Handles a connection that was silent for too long: an unproven peer loses the request if another peer can answer
  /// it, and a second peer is asked for a late page.
  mutating func patienceEnded(_ id: ConnectionID, at now: Instant) {
    guard let number = connections.peer(of: id) else { return }
    loseLateRequest(id, number, at: now)
    // A silent peer has lost its precedence over other peers.
    if !rounds.isEmpty { chunks.reconsider() }
    if phase != .ended { takePageBack(id, number, at: now) }
    if phase != .ended { watchSilence(of: id, at: now) }
  }

  private mutating func loseLateRequest(_ id: ConnectionID, _ number: Int, at now: Instant) {
    guard !peers[number].isProven, let connection = connections[id], let place = connection.firstInLine else { return }
    let pending = connection.pending[place]
    let item = FetchItem.chunk(pending.chunk)
    guard let due = dueSince(pending), isLate(pending, at: now), now - due >= patience(with: number, for: item),
      isAnotherLeft(than: number, for: item, at: now)
    else { return }
    connections[existing: id].pending.remove(at: place)
    act(.cancel(id, pending.id))
    failed(number, .timeout, at: now)
    chunks.drop(id, pending.id, of: pending.chunk)
    startClock(id, at: now)
    attemptFailed(item, by: number, .timeout, .wasSilent, at: now)
  }

  /// Returns whether a request would take more than half of its timeout at the rate of its bytes so far.
  private func isLate(_ pending: PendingRequest, at now: Instant) -> Bool {
    guard let due = dueSince(pending) else { return false }
    let share = Double(arrived(of: pending)) / Double(countedBytes(of: pending.leaves, in: pending.chunk))
    return (now - due).inSeconds > share * settings.chunkTimeout.inSeconds / 2
  }

  /// Returns whether a page is late: its peer was silent for too long.
  func isPageLate(_ id: ConnectionID, _ number: Int, _ page: PageIndex, at now: Instant) -> Bool {
    connections.pageAskedAt(id).map { now - $0 >= patience(with: number, for: .page(page)) } ?? false
  }

  /// Returns whether another peer that has not failed the item in this round can give it.
  func isAnotherLeft(than number: Int, for item: FetchItem, at now: Instant) -> Bool {
    workers.live.contains { other in
      other != number && !hasFailed(other, item) && canAnswer(other, at: now) && holds(other, item)
    }
  }
}
