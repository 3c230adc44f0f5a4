// The limits of hedging: when a peer counts as late, how many duplicate bytes are allowed, and how often peers are
// compared.

/// Measures how long chunks take in this swarm. Before the first measurement it assumes that peers are fast.
struct Hedging: Sendable {
  /// A stranger that sends no byte for this long loses the request, unless the swarm itself is slower.
  static let patienceMin: Duration = .seconds(2)
  /// The patience is this many times the swarm's mean latency.
  private static let patienceFactor = 4.0
  /// Hedging may fetch this part of the file twice; before the first measurement, at least one chunk.
  private static let budgetDivisor: UInt64 = 20
  /// The pause between two runs of the endgame if peers share. Then some peer is always idle, and a run, which checks
  /// all requests of all peers, is expensive.
  private static let endgamePause: Duration = .milliseconds(20)

  private var turnaround = TurnaroundEstimate()
  /// When the endgame ran last.
  private var endgameAt = Instant.zero

  /// Whether any chunk was measured.
  var isMeasured: Bool { turnaround.mean != nil }

  /// Adds a measurement: a chunk was verified this long after it was requested.
  /// - `byteCount`: bytes of the chunk.
  mutating func measured(_ time: Duration, byteCount: Int) { turnaround.add(time, byteCount: byteCount) }

  /// How long a peer may be silent before another one is asked.
  var patience: Duration {
    guard let mean = turnaround.mean else { return Hedging.patienceMin }
    return max(Hedging.patienceMin, .nanoseconds(Int64(min(mean * Hedging.patienceFactor * 1e9, 1e18))))
  }

  /// Returns how long after its request a chunk of so many bytes is late.
  func threshold(byteCount: Int) -> Duration { turnaround.threshold(byteCount: byteCount) ?? Hedging.patienceMin }

  /// Returns how many bytes the download may fetch twice.
  func budget(ofWanted wantedBytes: UInt64, chunkSize: Int) -> UInt64 {
    let part = wantedBytes / Hedging.budgetDivisor
    return isMeasured ? part : max(part, UInt64(chunkSize))
  }

  /// Begins a run of the endgame. Returns nil if the endgame runs now; else the time at which it may run.
  /// - `isSharing`: whether peers share, so that runs are kept apart.
  mutating func beginEndgame(isSharing: Bool, at now: Instant) -> Instant? {
    if isSharing, now - endgameAt < Hedging.endgamePause { return endgameAt + Hedging.endgamePause }
    endgameAt = now
    return nil
  }
}
