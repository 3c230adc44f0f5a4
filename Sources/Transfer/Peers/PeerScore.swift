// How well a peer has served: the score that ranks the peer, and the rate that sizes its pipeline.

/// The score of a peer, 0…200, and its measured rate.
struct PeerScore: Hashable, Sendable {
  static let start = 100
  static let max = 200
  static let failureCost = 25
  /// The weight of a new measurement in the rate, so that one odd answer changes the rate little.
  private static let rateWeight = 0.25

  /// The shortest time of a measurement. When answers arrive together, each seems to take no time.
  private static let secondsMin = 0.01

  private(set) var value = PeerScore.start
  /// Bytes per second while it answered; nil until measured.
  private(set) var throughput: Double?
  /// Bytes of the answers since the last measurement; `answeredSeconds` is the time that they took.
  private var answeredByteCount = 0
  private var answeredSeconds = 0.0
  private var isMeasured = false

  /// Raises the score: by 20 under 100 ms, by 10 under 1 s, else by 5.
  mutating func succeed(latency: Duration) {
    let gain = latency < .milliseconds(100) ? 20 : latency < .seconds(1) ? 10 : 5
    value = Swift.min(value + gain, PeerScore.max)
  }

  mutating func fail() { value = Swift.max(value - PeerScore.failureCost, 0) }

  /// Adds an answer to the measurement. Until the answers have taken `secondsMin`, the rate is the mean over all of
  /// them.
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
