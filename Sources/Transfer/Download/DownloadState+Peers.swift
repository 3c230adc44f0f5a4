// Peers that leave a download, and those of them that it forgets.
import Content
import Wire

extension DownloadState {
  /// A peer has left: rounds may be over without it, and of many that have gone some are forgotten.
  mutating func noteDeparture(of number: Int, at now: Instant) {
    settleRounds(at: now)
    if phase == .ended { return }
    if let forgotten = peers.left(number) { forget(forgotten) }
  }

  /// Adds the statistics of a peer to the sum, and frees its number.
  private mutating func forget(_ number: Int) {
    tally.stats.pastPeers.add(peers[number].stats)
    peers.forget(number)
    rounds.forget(number)
    workers.forget(number)
  }
}
