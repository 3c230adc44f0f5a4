// How a patient download waits instead of ending, until a peer comes or the patience is over.
import Content
import Wire

extension DownloadState {
  /// Returns whether the download waits instead of ending, and sets the timer of its patience if so.
  mutating func waits(at now: Instant) -> Bool {
    guard waiting.goesOn(at: now) else { return false }
    if let due = waiting.due, timers[.waitEnds] == nil { timers.set(.waitEnds, at: due) }
    return true
  }

  /// Ends the download if its patience is over, for the reason that would have ended it before.
  mutating func waitMayEnd(at now: Instant) {
    if pages.isComparing { waiting.progressed(at: now) }
    guard let due = waiting.due else { return }
    if due > now { return timers.set(.waitEnds, at: due) }
    if waiting.lacksPeers { return endWithoutPeers(at: now) }
    if let (item, history) = rounds.firstOutOfRetries(retriesMax: settings.maxRetries) {
      return giveUp(item, history, at: now)
    }
    if waiting.lacksProgress { endWithoutPeers(at: now) }
    // A download that has no address left ends in `endIfHopeless`, which runs after each event.
  }

  /// Resets the chunks and pages that are out of retries, because a peer has come.
  mutating func tryAgain(at now: Instant) {
    guard waiting.isOn else { return }
    waiting.lacksProgress = false
    for item in rounds.forgive(retriesMax: settings.maxRetries) { wake(item) }
  }

  /// Returns what the download waits for; nil if it does not wait.
  public func wait(at now: Instant) -> PeerWait? {
    guard waiting.isOn, phase != .ended else { return nil }
    return waitState.map { PeerWait($0, waiting, nextDial: nextDial(at: now), at: now) }
  }

  /// The wait with which the download ended; nil if it did not wait.
  public var endedWait: PeerWait? { waiting.ended }

  /// Notes what the download waited for when it ends without its file.
  mutating func noteEndOfWait(_ failure: DownloadFailure, at now: Instant) {
    guard waiting.isOn else { return }
    let state: PeerWait.State? =
      switch failure {
      case .unreachable, .notFound: .anyPeer
      case .noPeers: book.isFound ? .peerWithRest : .anyPeer
      case .outOfRetries(let chunk): .chunk(chunk)
      case .pageOutOfRetries(let page): .page(page)
      case .notAdmitted, .everyPeerLied, .storage, .cancelled: nil
      }
    waiting.ended = state.map { PeerWait($0, waiting, nextDial: nil, at: now) }
  }

  private var waitState: PeerWait.State? {
    if phase == .seeking { return waiting.lacksAddresses ? .anyPeer : nil }
    guard phase == .running else { return nil }
    if waiting.lacksPeers { return .peerWithRest }
    if let (item, _) = rounds.firstOutOfRetries(retriesMax: settings.maxRetries) {
      return switch item {
      case .chunk(let chunk): .chunk(chunk)
      case .page(let page): .page(page)
      }
    }
    return waiting.lacksProgress ? .progress : nil
  }

  private func nextDial(at now: Instant) -> PeerWait.Dial? {
    if let address = connections.firstDialled { return PeerWait.Dial(address: address, delay: .zero) }
    return book.nextDue.map { PeerWait.Dial(address: $0, delay: max($1 - now, .zero)) }
  }
}
