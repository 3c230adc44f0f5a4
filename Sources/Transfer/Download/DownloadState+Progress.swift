// When a download ends because nothing comes, although peers are connected.
import Content
import Wire

extension DownloadState {
  /// Timeouts without any verified leaf after which a download ends that knows strangers only.
  private static let timeoutsWithoutProgressMax = 4
  /// How often this time may pass while a proven or named peer is connected. A peer can connect and leave without an
  /// answer for ever and spend no retry; a peer that fails spends all retries much sooner.
  private static let hopesMax = 3

  /// A download in which no peer gives anything does not go on for ever.
  mutating func watchProgress(at now: Instant) {
    timers.set(.noProgress, at: now + settings.chunkTimeout * DownloadState.timeoutsWithoutProgressMax)
  }

  /// A missing leaf was verified.
  mutating func progressed(at now: Instant) { (lastProgress, hopes) = (now, 0) }

  /// No leaf was verified for a long time. A proven or named peer has its retries first.
  mutating func progressMissed(at now: Instant) {
    // No peer is asked for the chunks of a page while they are compared with the disk.
    if pages.isComparing || isComparingShared {
      lastProgress = now
      return timers.set(.noProgress, at: now + settings.chunkTimeout)
    }
    let due = lastProgress + settings.chunkTimeout * DownloadState.timeoutsWithoutProgressMax
    if due > now { return timers.set(.noProgress, at: due) }
    let isHopeful = rotation.live.contains { number in
      guard isTrusted(number), !peers[number].onlyRefuses, let id = peers[number].connection else { return false }
      return connections.availability(of: id).map { wantsAny(of: $0) } == true
    }
    if waitsForReader { hopes = 0 }
    guard isHopeful, hopes < DownloadState.hopesMax else { return endWithoutPeers(at: now) }
    if !waitsForReader { hopes += 1 }
    watchProgress(at: now)
  }
}
