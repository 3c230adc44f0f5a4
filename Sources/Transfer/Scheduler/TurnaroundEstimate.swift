// When a chunk takes far longer than the swarm's own mean and deviation say.

/// Mean and deviation of how long chunks took from asked to verified (Welford's running form).
struct TurnaroundEstimate: Sendable {
  private static let deviations = 4.0
  /// With few samples the deviation says little: it is taken as at least this part of the mean.
  private static let deviationMinPart = 0.25

  private var count = 0
  private var runningMean = 0.0
  private var squares = 0.0

  mutating func add(_ turnaround: Duration) {
    count += 1
    let difference = turnaround.inSeconds - runningMean
    runningMean += difference / Double(count)
    squares += difference * (turnaround.inSeconds - runningMean)
  }

  /// In seconds; nil while nothing was measured.
  var mean: Double? { count > 0 ? runningMean : nil }

  /// A chunk asked for longer ago than this is late; nil while nothing was measured.
  var threshold: Duration? {
    guard let mean else { return nil }
    let deviation = max((squares / Double(count)).squareRoot(), mean * TurnaroundEstimate.deviationMinPart)
    return .nanoseconds(Int64(min((mean + TurnaroundEstimate.deviations * deviation) * 1e9, 1e18)))
  }
}
