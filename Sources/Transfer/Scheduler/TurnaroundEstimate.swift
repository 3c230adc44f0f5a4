// How long chunks take in this swarm, and when a chunk is late.

/// Mean and deviation of the time from the request of a chunk to its verification (Welford's algorithm).
struct TurnaroundEstimate: Sendable {
  private static let deviations = 4.0
  /// The deviation counts as at least this part of the mean, because few samples say little about it.
  private static let deviationMinPart = 0.25

  private var count = 0
  private var runningMean = 0.0
  private var squares = 0.0
  private var meanBytes = 0.0

  /// - `byteCount`: bytes of the chunk.
  mutating func add(_ turnaround: Duration, byteCount: Int) {
    count += 1
    meanBytes += (Double(byteCount) - meanBytes) / Double(count)
    let difference = turnaround.inSeconds - runningMean
    runningMean += difference / Double(count)
    squares += difference * (turnaround.inSeconds - runningMean)
  }

  /// The mean in seconds; nil before the first measurement.
  var mean: Double? { count > 0 ? runningMean : nil }

  /// Returns how long after its request a chunk of so many bytes is late. Nil before the first measurement.
  func threshold(byteCount: Int) -> Duration? {
    guard let mean else { return nil }
    let size = max(1, Double(byteCount) / max(meanBytes, 1))
    let deviation = max((squares / Double(count)).squareRoot(), mean * TurnaroundEstimate.deviationMinPart)
    return .nanoseconds(Int64(min((mean + TurnaroundEstimate.deviations * deviation) * size * 1e9, 1e18)))
  }
}
