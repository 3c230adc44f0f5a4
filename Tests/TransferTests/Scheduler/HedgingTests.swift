// Second askers: when a peer counts as late, and how many duplicate bytes they may cost.
import Testing

@testable import Transfer

@Suite struct HedgingTests {
  /// Ten chunks of 1,000 bytes have each taken this long.
  private func measured(_ time: Duration) -> Hedging {
    var hedging = Hedging()
    for _ in 0..<10 { hedging.measured(time, byteCount: 1000) }
    return hedging
  }

  @Test func `a chunk is late after four mean latencies, at least 2 s`() {
    #expect(Hedging().patience == .seconds(2) && !Hedging().isMeasured)
    #expect(measured(.milliseconds(500)).patience == .seconds(2) && measured(.milliseconds(500)).isMeasured)
    #expect(measured(.seconds(1)).patience == .seconds(4))
  }

  @Test func `before the first measurement a chunk is late after 2 s`() {
    #expect(Hedging().threshold(byteCount: 1) == .seconds(2))
    #expect(Hedging().threshold(byteCount: 1 << 20) == .seconds(2))
    #expect(measured(.milliseconds(100)).threshold(byteCount: 1000) == .milliseconds(200))
  }

  @Test func `hedges may cost 5 percent, and one chunk before the first measurement`() {
    #expect(measured(.seconds(1)).budget(ofWanted: 1000, chunkSize: 100) == 50)
    #expect(Hedging().budget(ofWanted: 1000, chunkSize: 100) == 100)
    #expect(Hedging().budget(ofWanted: 10_000, chunkSize: 100) == 500)
  }

  @Test func `endgame runs are 20 ms apart if peers share`() {
    var hedging = Hedging()
    #expect(hedging.beginEndgame(isSharing: true, at: .seconds(1)) == nil)
    #expect(hedging.beginEndgame(isSharing: true, at: .milliseconds(1019)) == .milliseconds(1020))
    #expect(hedging.beginEndgame(isSharing: true, at: .milliseconds(1020)) == nil)
    #expect(hedging.beginEndgame(isSharing: false, at: .milliseconds(1021)) == nil)
    #expect(hedging.beginEndgame(isSharing: true, at: .milliseconds(1040)) == .milliseconds(1041))
  }
}
