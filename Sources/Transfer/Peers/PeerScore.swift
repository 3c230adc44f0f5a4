// How well a peer has served: the score that ranks it and the rate that fills its pipeline.

/// Starts at 100, within 0…200.
struct PeerScore: Hashable, Sendable {
  static let start = 100
  static let max = 200
  static let failureCost = 25
  /// A new measurement counts for this part of the rate, so that one odd answer does not turn it around.
  private static let rateWeight = 0.25

  private(set) var value = PeerScore.start
  /// Bytes per second while it answered; nil until measured.
  private(set) var throughput: Double?

  /// +20 under 100 ms, +10 under 1 s, +5 otherwise.
  mutating func succeed(latency: Duration) {
    let gain = latency < .milliseconds(100) ? 20 : latency < .seconds(1) ? 10 : 5
    value = Swift.min(value + gain, PeerScore.max)
  }

  mutating func fail() { value = Swift.max(value - PeerScore.failureCost, 0) }

  mutating func measure(byteCount: Int, in time: Duration) {
    // An answer that took less than a microsecond counts as one microsecond: the clock is not finer.
    let rate = Double(byteCount) / Swift.max(time.inSeconds, 1e-6)
    throughput = throughput.map { $0 + PeerScore.rateWeight * (rate - $0) } ?? rate
  }
}
