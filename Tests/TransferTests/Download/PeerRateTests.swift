// The measured rate of a peer whose answers arrive in bursts.
import Testing
import Wire

@testable import Transfer

struct PeerRateTests {
  @Test func `answers handled right after one another do not look faster than all of them together`() {
    var score = PeerScore()
    // In each burst, one answer is waited for and nine arrive with it.
    for _ in 0..<100 {
      score.measure(byteCount: 1_000_000, in: .milliseconds(10))
      for _ in 0..<9 { score.measure(byteCount: 1_000_000, in: .nanoseconds(1)) }
    }
    let rate = score.throughput ?? 0
    #expect(rate > 0.9e9 && rate < 1.1e9, "\(rate)")
  }

  @Test func `one answer is enough for a rate, and a change shows`() {
    var score = PeerScore()
    score.measure(byteCount: 1_000_000, in: .seconds(1))
    #expect(score.throughput == 1e6)
    for _ in 0..<20 { score.measure(byteCount: 1_000_000, in: .milliseconds(100)) }
    #expect((score.throughput ?? 0) > 0.9e7)
  }
}
