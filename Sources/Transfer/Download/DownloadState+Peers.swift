// The peers that a download remembers. Any number of strangers may come, so the memory for them is bounded.
import Content
import Wire

extension DownloadState {
  /// At most this many peers that left without delivering anything are remembered one by one.
  static let idlePastPeersMax = 32
  /// Peers that have gone, in all.
  static let pastPeersMax = 1_024

  /// A number for a peer that joins for the first time.
  mutating func enroll(_ id: PeerID) -> Int {
    let peer = Peer(id: id, place: joinCount)
    joinCount += 1
    let number = freeNumbers.popLast() ?? peers.count
    if number == peers.count { peers.append(peer) } else { peers[number] = peer }
    numbers[id] = number
    return number
  }

  /// A peer has left: rounds may be over without it, and of many that have gone some are forgotten.
  mutating func noteDeparture(of number: Int, at now: Instant) {
    settleRounds(at: now)
    if phase == .ended { return }
    idlePast.removeAll { $0 == number }
    past.removeAll { $0 == number }
    if peers[number].tally.bytes == 0 { idlePast.append(number) } else { past.append(number) }
    if idlePast.count > DownloadState.idlePastPeersMax { forget(idlePast.removeFirst()) }
    if past.count > DownloadState.pastPeersMax { forget(past.removeFirst()) }
  }

  /// Adds the statistics of a peer to the sum, and frees its number.
  private mutating func forget(_ number: Int) {
    let peer = peers[number]
    stats.pastPeers.add(peer.stats)
    if peer.score.value == 0 { peersAtZero -= 1 }
    numbers[peer.id] = nil
    peers[number].leftAt = nil
    rounds.forget(number)
    for worker in workers.indices where workers[worker].failed == number { workers[worker].failed = nil }
    freeNumbers.append(number)
  }

  /// The peers that are remembered one by one, in the order of joining.
  var rememberedPeers: [Peer] {
    let free = Set(freeNumbers)
    return peers.indices.filter { !free.contains($0) }.map { peers[$0] }.sorted { $0.place < $1.place }
  }
}
