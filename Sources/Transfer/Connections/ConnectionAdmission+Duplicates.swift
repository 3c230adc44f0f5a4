// If one peer dialled several connections, one stays: the oldest, if it is alive.
import Wire

/// Source: `Protocol/README.md`, "Duplicate connections".
extension ConnectionAdmission {
  /// Judges a connection that `probe` was ordered for. Call it when bytes came and were dealt with, and when time passed.
  /// - `askedAt`: when the order was carried out.
  /// - `heardAt`: when the last byte came from the other end.
  /// - Returns: nil: it is too early to tell.
  public mutating func judge(
    _ token: ConnectionToken, askedAt: Instant, heardAt: Instant, at now: Instant
  ) -> [Order]? {
    if heardAt > askedAt { return lives(token) }
    return now - askedAt < ProtocolLimits.probePatience ? nil : isDead(token)
  }

  /// The newer ones go.
  private mutating func lives(_ token: ConnectionToken) -> [Order] {
    guard let entry = entries[token], entry.isProbed else { return [] }
    setProbed(token, false)
    let newer = rivals(of: token, entry)
    for rival in newer { forget(rival) }
    return newer.map { .closeDuplicate($0) }
  }

  /// It closes, and the oldest of the others is probed.
  private mutating func isDead(_ token: ConnectionToken) -> [Order] {
    guard let entry = entries[token], entry.isProbed else { return [] }
    forget(token)
    return [.closeDuplicate(token)] + probeOldest(of: entry.peer)
  }

  /// Has the oldest connection of a peer asked for a sign of life, if there are newer ones that cannot stay beside it.
  mutating func probeOldest(of peer: PeerID) -> [Order] {
    // One that is turned away does not last: it is no reason to close another.
    guard let oldest = byPeer[peer]?.first(where: { entries[$0]?.isTurnedAway == false }), let entry = entries[oldest],
      !entry.isProbed, !rivals(of: oldest, entry).isEmpty
    else { return [] }
    setProbed(oldest, true)
    return [.probe(oldest)]
  }

  private func rivals(of token: ConnectionToken, _ entry: Entry) -> [ConnectionToken] {
    byPeer[entry.peer, default: []].filter { other in
      guard let newer = entries[other], newer.number > entry.number else { return false }
      return !(entry.meansSeveral && newer.meansSeveral)
    }
  }
}
