// Checks that a step did all that it had to, and that an end was justified.
import Content
import Transfer
import Wire

extension RuleBook {
  /// Returns the first rule that the actions of an event broke. Nil if there is none.
  mutating func verdict(after event: DownloadEvent, at now: Instant) -> String? {
    defer {
      (expectedCancels, seenCancels, expectedBans, seenBans) = ([], [], [], [])
      expectedEnds = []
      lateLoss = nil
      expectedFailures = [:]
      expectedFiles = []
      dueCount = 0
    }
    if let entry = expectedFiles.first { breakRule("file \(entry) is complete, and is not reported") }
    if hasEnded { return broken }
    if let end = expectedEnds.first { breakRule("the download should have ended: \(end)") }
    if expectedCancels != seenCancels { breakRule("cancelled \(seenCancels), not \(expectedCancels)") }
    if let chunk = takenBack.popFirst() { breakRule("chunk \(chunk.rawValue) is taken back and asked of nobody") }
    if let (peer, count) = expectedFailures.first(where: { $0.value > 0 }) {
      breakRule("\(count) failures of \(peer) are not reported")
    }
    if expectedBans != seenBans { breakRule("banned \(seenBans), not \(expectedBans)") }
    if hasStarted, let retry = expectedRetries.first(where: { !isHad($0.chunk) }) {
      breakRule("retry \(retry.attempt) of chunk \(retry.chunk.rawValue) is lost")
    }
    noteUsability(at: now)
    noteHopelessness(at: now)
    noteLateRequests(at: now)
    noteMissingHedge(at: now)
    if isRunning { checkProgress(at: now) }
    return broken
  }

  /// Whether a peer has anything that is missing and may be requested. If the reader of a stream is late, nothing may
  /// be requested, and then any chunk counts.
  func hasAnything(_ line: Line) -> Bool {
    guard line.held != nil, case .inOrder = settings.order else {
      return line.held == nil || (0..<layout.chunkCount).contains { holds(line, .chunk($0)) }
    }
    let wanted = 0..<windowEnd
    return (isReaderLate ? 0..<layout.chunkCount : wanted).contains { holds(line, .chunk($0)) }
  }

  /// Whether a stream has everything that may be fetched before its reader takes more.
  var isReaderLate: Bool {
    guard case .inOrder = settings.order else { return false }
    return (0..<windowEnd).allSatisfy { isHad(ChunkIndex(UInt32($0))) }
  }

  private mutating func noteUsability(at now: Instant) {
    guard !joined.isEmpty else { return }
    let isUsable = lines.values.contains {
      $0.isOpen && standings[$0.peer]?.refusals ?? 0 <= settings.maxRetries && hasAnything($0)
    }
    if isUsable { unusableSince = nil } else if unusableSince == nil { unusableSince = now }
  }

  private mutating func noteHopelessness(at now: Instant) {
    let isHopeless =
      joined.isEmpty && dials.isEmpty && lines.keys.allSatisfy { $0 >= ConnectionID.firstInbound }
    if !isHopeless { hopelessSince = nil } else if hopelessSince == nil { hopelessSince = now }
  }

  /// If nothing is in flight, there must be nothing that could be requested.
  private mutating func checkProgress(at now: Instant) {
    let since = max(lastProgress, lastReading)
    if now - since > settings.chunkTimeout * 4 + .seconds(60), lines.values.contains(where: isAnchor) {
      return breakRule("no progress since \(since.inSeconds) s, with an honest peer at hand")
    }
    guard pagesArrived.isEmpty, lines.values.allSatisfy({ $0.asked.isEmpty && $0.page == nil }) else { return }
    for (id, line) in lines where line.isOpen && !isBusy(line.peer, at: now) {
      for index in 0..<layout.chunkCount where isWaiting(index, for: line.peer, id, at: now) {
        return breakRule("chunk \(index) could be asked of \(line.peer), and is not")
      }
      for page in 0..<pages.pageCount where !isAtHand(PageIndex(UInt32(page))) {
        let isWanted = pages.chunks(of: PageIndex(UInt32(page))).contains { !isHad(ChunkIndex(UInt32($0))) }
        // Pages are fetched ahead only as far as they are needed.
        let item = Troubled.page(PageIndex(UInt32(page)))
        let isDue = holds(line, item) && isDue(item, from: line.peer, at: now)
        if isWanted, isDue, !isAnyChunkListed {
          return breakRule("page \(page) could be asked of \(line.peer), and is not")
        }
      }
    }
  }

  /// Whether the hash of a chunk is known, so that the chunk may be requested.
  func isListed(_ chunk: ChunkIndex) -> Bool {
    pages.page(of: chunk).map { pagesVerified.contains($0) } ?? !isComparingShared
  }

  /// The first chunk that may not be requested yet. A stream's window holds as many wanted bytes as its full chunks
  /// have, counted from the first chunk that was not passed on.
  var windowEnd: Int {
    guard case .inOrder(let window) = settings.order else { return layout.chunkCount }
    var bytes = 0
    for chunk in consumedBelow..<layout.chunkCount where due[chunk] != 0 {
      if bytes + dueBytes[chunk] > window * layout.chunkSize { return chunk }
      bytes += dueBytes[chunk]
    }
    return layout.chunkCount
  }

  private func isAtHand(_ page: PageIndex) -> Bool { pagesVerified.contains(page) || pagesHeld.contains(page) }

  private func isAnchor(_ line: Line) -> Bool { line.isOpen && anchors.contains(line.peer) }

  private var isAnyChunkListed: Bool {
    (0..<layout.chunkCount).contains {
      let chunk = ChunkIndex(UInt32($0))
      return !isHad(chunk) && isListed(chunk)
    }
  }

  private func isWaiting(_ index: Int, for peer: PeerID, _ id: ConnectionID, at now: Instant) -> Bool {
    let chunk = ChunkIndex(UInt32(index))
    guard !isHad(chunk), isListed(chunk) else { return false }
    if let until = restUntil[index], until >= now { return false }
    if expectedRetries.contains(where: { $0.chunk == chunk }) { return false }
    if index >= windowEnd { return false }
    return isDue(.chunk(index), from: peer, at: now) && lines[id].map { holds($0, .chunk(index)) } == true
  }

  // MARK: Ends

  mutating func end(_ end: End, _ stats: DownloadStats) {
    hasEnded = true
    if !expectedEnds.contains(end) { breakRule("ended with \(end), not with one of \(expectedEnds)") }
    compare(stats)
  }

  mutating func fail(_ failure: DownloadFailure, _ stats: DownloadStats, at now: Instant) {
    switch failure {
    case .storage, .cancelled: break
    default:
      // The getter's own slow disk may make every peer late.
      if !anchors.isEmpty, !scenario.getter.faults.contains(.slowDisk) {
        breakRule("\(failure), although an honest peer has all of the file")
      }
    }
    if settings.patience != .none, failure.mayPass {
      hasEnded = true
      checkWait(failure, at: now)
      return compare(stats)
    }
    switch failure {
    case .outOfRetries(let chunk): end(.outOfRetries(chunk), stats)
    case .pageOutOfRetries(let page): end(.pageOutOfRetries(page), stats)
    case .storage: end(.storage, stats)
    case .cancelled: end(.cancelled, stats)
    case .noPeers where isWithoutProgress(at: now):
      hasEnded = true
      compare(stats)
    case .noPeers where !joined.isEmpty:
      if joined.allSatisfy(banned.contains) { breakRule("every peer lied, and it is not said") }
      end(.withoutPeers, stats)
    case .everyPeerLied where expectedEnds.contains(.withoutPeers):
      if !joined.allSatisfy(banned.contains) { breakRule("not every peer lied") }
      end(.withoutPeers, stats)
    case .everyPeerLied:
      hasEnded = true
      if !joined.allSatisfy(banned.contains) { breakRule("not every peer lied") }
      if banned.isEmpty { breakRule("nobody lied") }
      compare(stats)
    case .unreachable, .notFound, .notAdmitted, .noPeers:
      hasEnded = true
      if !joined.isEmpty { breakRule("\(failure), although a peer had the file") }
      if let address = awaitedAddresses.first { breakRule("\(failure), although port \(address.port) may have room") }
      let isOver = hopelessSince.map { $0 + settings.chunkTimeout <= now } == true
      if !lines.isEmpty && !isOver || !dials.isEmpty { breakRule("\(failure) before all have answered") }
    }
  }

  /// Whether only strangers are left and they have given nothing for four timeouts, or no peer has for sixteen.
  func isWithoutProgress(at now: Instant) -> Bool {
    if lastLeaf + settings.chunkTimeout * 4 <= now && !isTrustedPeerGiving { return true }
    return lastLeaf + settings.chunkTimeout * 16 <= now && lastReading + settings.chunkTimeout * 12 <= now
  }

  /// Counts the bytes of verified leaves.
  mutating func count(
    _ leaves: LeafRange, _ needed: UInt64, of chunk: ChunkIndex, verifiedBefore before: UInt64
  ) {
    for leaf in leaves.first..<leaves.end {
      let byteCount = UInt64(layout.length(of: LeafRange(first: leaf, count: 1), in: chunk))
      let bit: UInt64 = 1 << UInt64(leaf)
      if needed & bit == 0 {
        gapBytes += byteCount
      } else if before & bit == 0 {
        newBytes += byteCount
      } else {
        duplicateBytes += byteCount
      }
    }
  }

  /// The statistics must equal the records.
  mutating func compare(_ stats: DownloadStats) {
    if hasStarted, let difference = told.difference(from: stats) { breakRule(difference) }
    let wanted = due.indices.filter { due[$0] != 0 }
    let had = wanted.count { isHad(ChunkIndex(UInt32($0))) }
    if isRunning, stats.totalChunks != wanted.count { breakRule("the statistics miscount wanted chunks") }
    if stats.downloadedChunks + stats.resumedChunks != had { breakRule("the statistics miscount chunks") }
    if stats.resumedChunks != resumedChunks { breakRule("the statistics miscount resumed chunks") }
    if stats.duplicateBytes != duplicateBytes { breakRule("the statistics miscount duplicates") }
    if stats.gapBytes != gapBytes { breakRule("the statistics miscount bytes that are not needed") }
    if stats.bytes != newBytes { breakRule("the statistics miscount bytes") }
    if stats.hedges != hedgeCount { breakRule("the statistics miscount second askers") }
    if hasStarted, stats.retries != retryCount { breakRule("\(stats.retries) retries, not \(retryCount)") }
    let listed = Set(stats.peers.map(\.peer))
    // A stranger that was forgotten and comes back joins as a new peer.
    let isInOrder = stats.peers.map(\.peer) == joined.filter(listed.contains)
    if stats.pastPeers.count == 0 ? !isInOrder : !listed.isSubset(of: joined) {
      breakRule("the statistics mix up peers")
    }
    if listed.count + stats.pastPeers.count < joined.count { breakRule("the statistics miscount peers") }
    // Of several timers due at once, the engine handled the one that ended it. It did not count what the others cost.
    for peer in stats.peers where dueCount <= 1 && stats.pastPeers.count == 0 {
      let standing = standings[peer.peer] ?? Standing()
      if Int(peer.score) != standing.score { breakRule("\(peer.peer) has score \(peer.score), not \(standing.score)") }
      if peer.failures != standing.failures {
        breakRule("\(peer.peer) has \(peer.failures) failures, not \(standing.failures)")
      }
      if peer.chunks != standing.chunks { breakRule("\(peer.peer) has \(peer.chunks) chunks, not \(standing.chunks)") }
    }
  }
}
