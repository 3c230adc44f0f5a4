// The rules of a download with patience: how long it waits, and what it must notice.
import Content
import Transfer
import Wire

extension DownloadFailure {
  /// Whether a download with patience waits instead of ending with this failure.
  var mayPass: Bool {
    switch self {
    case .unreachable, .notFound, .noPeers, .outOfRetries, .pageOutOfRetries: true
    case .notAdmitted, .everyPeerLied, .storage, .cancelled: false
    }
  }
}

extension RuleBook {
  /// A source that is back must have served the download after this time and `returnTimeouts` timeouts.
  private static let returnTime: Duration = .seconds(90)
  private static let returnTimeouts = 6

  /// When the patience ends. Nil: never.
  private var patienceEnd: Instant? {
    switch settings.patience {
    case .none: lastGain
    case .upTo(let time): lastGain + time
    case .forever: nil
    }
  }

  /// Whether the download must continue.
  func isPatient(at now: Instant) -> Bool { settings.patience != .none && patienceEnd.map { now < $0 } ?? true }

  func isOutOfRetries(_ item: Troubled) -> Bool { troubles[item].map { $0.retries > settings.maxRetries } ?? false }

  /// A peer has come. Items out of retries get them back.
  mutating func forgive() {
    guard settings.patience != .none else { return }
    for item in troubles.keys where isOutOfRetries(item) {
      troubles[item]!.retries = 0
      troubles[item]!.lostRounds = 0
      troubles[item]!.leavesGained = 0
      (restAtLeast[item], restAtMost[item]) = (nil, nil)
    }
  }

  /// Returns a message if the download still waits although its patience is over.
  func overdueWait(at now: Instant) -> String? {
    guard isRunning, !hasEnded, !isReaderLate, pagesHeld.isEmpty, !isComparingShared, let end = patienceEnd else {
      return nil
    }
    let margin = settings.chunkTimeout * 17 + .seconds(60)
    return max(end, lastReading) + margin < now
      ? "the download waits, and its patience was over at \(end.inSeconds) s" : nil
  }

  /// Checks that a download with patience may end with this failure.
  mutating func checkWait(_ failure: DownloadFailure, at now: Instant) {
    if isPatient(at: now) { breakRule("\(failure), although there is patience left") }
    switch failure {
    case .outOfRetries(let chunk):
      if !isOutOfRetries(.chunk(Int(chunk.rawValue))) { breakRule("chunk \(chunk.rawValue) has retries left") }
    case .pageOutOfRetries(let page):
      if !isOutOfRetries(.page(page)) { breakRule("page \(page.rawValue) has retries left") }
    case .noPeers where !joined.isEmpty:
      let isAlone = unusableSince.map { $0 + settings.chunkTimeout <= now } ?? false
      if !isAlone, !isWithoutProgress(at: now) { breakRule("\(failure), although a peer is there") }
    default:
      if !joined.isEmpty { breakRule("\(failure), although a peer had the file") }
      if lines.contains(where: { $0.key < ConnectionID.firstInbound }) {
        breakRule("\(failure) before all have answered")
      }
    }
    checkReturn(at: now)
  }

  /// A source that is back before the patience ends must serve the download to its end.
  private mutating func checkReturn(at now: Instant) {
    guard !scenario.getter.faults.contains(.slowDisk) else { return }
    for peer in scenario.peers where peer.has(.vanishes) {
      guard let since = peer.isBack(since: began, at: now) else { continue }
      if since + RuleBook.returnTime + settings.chunkTimeout * RuleBook.returnTimeouts < now {
        breakRule("the download ends, although its source is back since \(since.inSeconds) s")
      }
    }
  }
}

extension PeerPlan {
  /// Returns since when the source has been back. Nil: it is away.
  fileprivate func isBack(since start: Instant, at now: Instant) -> Instant? {
    if absences.contains(where: { $0.contains(now) }) { return nil }
    return max(start, absences.last { $0.upperBound <= now }?.upperBound ?? .zero)
  }
}
