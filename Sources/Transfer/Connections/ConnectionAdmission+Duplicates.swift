// If one peer has dialled several connections, one stays: the oldest one, if it is alive.
import Wire

/// Source: `Protocol/README.md`, "Duplicate connections".
extension ConnectionAdmission {
  /// Judges a connection that `probe` was ordered for. Call it after bytes came and were handled, and when time passes.
  /// - `askedAt`: when PING was sent.
  /// - `heardAt`: when the latest byte came from the other end.
  /// - Returns: the orders that follow. Nil if it is too early to judge.
  public mutating func judge(
    _ token: ConnectionToken, askedAt: Instant, heardAt: Instant, at now: Instant
  ) -> [Order]? {
    if heardAt > askedAt { return lives(token) }
    return now - askedAt < ProtocolLimits.probePatience ? nil : isDead(token)
  }

  /// The probed connection is alive: its newer rivals are closed.
  private mutating func lives(_ token: ConnectionToken) -> [Order] {
    guard let entry = entries[token], entry.isProbed else { return [] }
    setProbed(token, false)
    let newer = rivals(of: token, entry)
    for rival in newer { forget(rival) }
    return newer.map { .closeDuplicate($0) }
  }

  /// The probed connection is dead: it is closed, and the oldest of the others is probed.
  private mutating func isDead(_ token: ConnectionToken) -> [Order] {
    guard let entry = entries[token], entry.isProbed else { return [] }
    forget(token)
    return [.closeDuplicate(token)] + probeOldest(of: entry.peer)
  }

  /// Orders a PING on the oldest connection of a peer, if there are newer ones that may not stay beside it.
  mutating func probeOldest(of peer: PeerID) -> [Order] {
    // A connection that is turned away ends soon anyway: it is no reason to close another one.
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
