// How peers leave a download, and which of them it forgets.
import Content
import Wire

extension DownloadState {
  /// Notes that a peer has left. Ends rounds that are over without it, and forgets a peer if too many have left.
  mutating func noteDeparture(of number: Int, at now: Instant) {
    settleRounds(at: now)
    if phase == .ended { return }
    if let forgotten = peers.left(number) { forget(forgotten) }
  }

  /// Forgets a peer: adds its statistics to the sum, and frees its number.
  private mutating func forget(_ number: Int) {
    tally.stats.pastPeers.add(peers[number].stats)
    peers.forget(number)
    rounds.forget(number)
    workers.forget(number)
  }
}
