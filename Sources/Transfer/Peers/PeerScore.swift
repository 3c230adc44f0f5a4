// How well a peer has served: the score that ranks it and the rate that fills its pipeline.

/// Starts at 100, within 0…200.
struct PeerScore: Hashable, Sendable {
  static let start = 100
  static let max = 200
  static let failureCost = 25
  /// A new measurement counts for this part of the rate, so that one odd answer does not turn it around.
  private static let rateWeight = 0.25

  /// A measurement takes this long at least. Of answers that arrive together each seems to take no time.
  private static let secondsMin = 0.01

  private(set) var value = PeerScore.start
  /// Bytes per second while it answered; nil until measured.
  private(set) var throughput: Double?
  /// What was answered since the last measurement, and how long that took.
  private var answeredByteCount = 0
  private var answeredSeconds = 0.0
  private var isMeasured = false

  /// +20 under 100 ms, +10 under 1 s, +5 otherwise.
  mutating func succeed(latency: Duration) {
    let gain = latency < .milliseconds(100) ? 20 : latency < .seconds(1) ? 10 : 5
    value = Swift.min(value + gain, PeerScore.max)
  }

  mutating func fail() { value = Swift.max(value - PeerScore.failureCost, 0) }

  /// Takes an answer. Until answers have taken `secondsMin`, the rate is that of all of them.
  mutating func measure(byteCount: Int, in time: Duration) {
    // An answer that took less than a microsecond counts as one microsecond: the clock is not finer.
    answeredByteCount += byteCount
    answeredSeconds += Swift.max(time.inSeconds, 1e-6)
    let rate = Double(answeredByteCount) / answeredSeconds
    if !isMeasured { throughput = rate }
    guard answeredSeconds >= PeerScore.secondsMin else { return }
    if isMeasured, let last = throughput { throughput = last + PeerScore.rateWeight * (rate - last) }
    isMeasured = true
    (answeredByteCount, answeredSeconds) = (0, 0)
  }
}
