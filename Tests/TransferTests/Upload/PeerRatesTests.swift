// The upload limit of each peer.
import Testing

@testable import Transfer

@Suite struct PeerRatesTests {
  private func ip(_ number: Int) -> [UInt8] {
    Array(repeating: 0, count: 10) + [255, 255, 10, UInt8(number >> 16), UInt8(number >> 8 & 255), UInt8(number & 255)]
  }

  @Test func `each address has a rate of its own`() {
    var rates = PeerRates(bytesPerSecond: 1_000, burst: 500)
    rates.sent(500, to: ip(1), at: .zero)
    #expect(rates.delay(of: 100, to: ip(1), at: .zero) == .milliseconds(100))
    #expect(rates.delay(of: 100, to: ip(2), at: .zero) == .zero)
    #expect(rates.delay(of: 100, to: ip(1), at: .zero + .milliseconds(100)) == .zero)
  }

  @Test func `full buckets are forgotten`() {
    var rates = PeerRates(bytesPerSecond: 1_000, burst: 500)
    for number in 0..<5_000 { rates.sent(500, to: ip(number), at: .zero + .seconds(number)) }
    #expect(rates.count <= PeerRates.bucketsMin + 1)
  }
}
