// When a download ends because no leaf comes, although peers are connected.
import Content
import Wire

extension DownloadState {
  /// Sets the timer that ends a download in which no peer sends anything.
  mutating func watchProgress(at now: Instant) {
    timers.set(.noProgress, at: now + progressTimeMax)
  }

  /// How long a download may go on without a new leaf. At a low download limit one leaf takes longer than a timeout.
  private var progressTimeMax: Duration {
    ProgressWatch.timeMax(timeout: max(settings.chunkTimeout, requestPace.time(for: chunks.layout.leafSize)))
  }

  /// Handles a long time without a verified leaf. The retries of a proven or named peer come first.
  mutating func progressMissed(at now: Instant) {
    // No peer is asked for the chunks of a page while they are being compared with the disk.
    if pages.isComparing {
      progressWatch.excuse(until: now)
      waiting.progressed(at: now)
      return timers.set(.noProgress, at: now + settings.chunkTimeout)
    }
    let due = progressWatch.due(after: progressTimeMax)
    if due > now { return timers.set(.noProgress, at: due) }
    let isHopeful = workers.live.contains { number in
      guard isTrusted(number), !peers[number].onlyRefuses, let id = peers[number].connection else { return false }
      return connections.availability(of: id).map { wantsAny(of: $0) } == true
    }
    guard progressWatch.mayGoOn(isHopeful: isHopeful, waitsForReader: waitsForReader) else {
      guard waits(at: now) else { return endWithoutPeers(at: now) }
      waiting.lacksProgress = true
      return watchProgress(at: now)
    }
    watchProgress(at: now)
  }
}
