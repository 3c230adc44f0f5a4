// Second askers: when a peer counts as late, how much duplicate data may cost, and how often peers are compared.

/// Knows how long chunks take in this swarm. Before the first measurement it assumes that peers are fast.
struct Hedging: Sendable {
  /// A stranger that sends no byte for this long loses the request, unless the swarm itself is slower.
  static let patienceMin: Duration = .seconds(2)
  /// The patience is this many times the swarm's mean latency.
  private static let patienceFactor = 4.0
  /// Hedging may fetch this part of the file twice; before the first measurement, at least one chunk.
  private static let budgetDivisor: UInt64 = 20
  /// If peers share: the pause between two runs of the endgame. Then some peer is idle at any time, and a look at all
  /// requests of all peers is expensive.
  private static let endgamePause: Duration = .milliseconds(20)

  private var turnaround = TurnaroundEstimate()
  /// When the endgame ran last.
  private var endgameAt = Instant.zero

  /// Whether any chunk was measured.
  var isMeasured: Bool { turnaround.mean != nil }

  /// A chunk was verified this long after it was asked for.
  /// - `byteCount`: of the chunk.
  mutating func measured(_ time: Duration, byteCount: Int) { turnaround.add(time, byteCount: byteCount) }

  /// How long a peer may be silent before another one is asked.
  var patience: Duration {
    guard let mean = turnaround.mean else { return Hedging.patienceMin }
    return max(Hedging.patienceMin, .nanoseconds(Int64(min(mean * Hedging.patienceFactor * 1e9, 1e18))))
  }

  /// A chunk of so many bytes that was asked for longer ago than this is late.
  func threshold(byteCount: Int) -> Duration { turnaround.threshold(byteCount: byteCount) ?? Hedging.patienceMin }

  /// Bytes that the download may fetch twice.
  func budget(ofWanted wantedBytes: UInt64, chunkSize: Int) -> UInt64 {
    let part = wantedBytes / Hedging.budgetDivisor
    return isMeasured ? part : max(part, UInt64(chunkSize))
  }

  /// Begins a run of the endgame. Returns nil if it runs now, or when it may run.
  /// - `isSharing`: whether peers share, so that runs are kept apart.
  mutating func beginEndgame(isSharing: Bool, at now: Instant) -> Instant? {
    if isSharing, now - endgameAt < Hedging.endgamePause { return endgameAt + Hedging.endgamePause }
    endgameAt = now
    return nil
  }
}
