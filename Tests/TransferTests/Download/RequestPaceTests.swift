// The download limit: how fast downloads send requests, and that no peer is blamed for it.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct RequestPaceTests {
  private static let rate: UInt64 = 2 << 20

  private func swarm(
    _ peers: [VirtualPeer], byteCount: UInt64, at rate: UInt64, settings: DownloadSettings = DownloadSettings()
  ) -> Swarm {
    var swarm = Swarm(peers, layout: ChunkLayout(fileLength: byteCount)!, settings: settings)
    swarm.state.requestPace = RequestPace(bytesPerSecond: rate, paidUntil: .zero)
    return swarm
  }

  /// Returns the most bytes that were requested within any 10 s.
  private func mostIn10Seconds(_ swarm: Swarm) -> Int {
    let asked = swarm.log.compactMap { record -> (Instant, Int)? in
      guard case .request(_, _, let chunk, let leaves, _) = record.action else { return nil }
      return (record.at, swarm.layout.length(of: leaves, in: chunk))
    }
    var (first, sum, most) = (0, 0, 0)
    for (at, bytes) in asked {
      sum += bytes
      while asked[first].0 + .seconds(10) < at {
        sum -= asked[first].1
        first += 1
      }
      most = max(most, sum)
    }
    return most
  }

  @Test(arguments: [64 << 10, 2 << 20, 20 << 20] as [UInt64])
  func `fast peers are asked at the limit, within 5 percent`(rate: UInt64) throws {
    let byteCount = rate * 30
    var swarm = swarm(Array(repeating: VirtualPeer(), count: 8), byteCount: byteCount, at: rate)
    swarm.run()
    let stats = try #require(swarm.finished)
    #expect((28.5...31.5).contains(stats.duration.inSeconds), "\(stats.duration)")
    #expect(mostIn10Seconds(swarm) <= Int(rate) * 105 / 10)
    #expect(stats.peers.allSatisfy { $0.failures == 0 && $0.score >= 100 } && stats.retries == 0)
    #expect(swarm.faults == [])
  }

  @Test func `silent peers do not use up the limit`() throws {
    let silent = VirtualPeer(conduct: .silent)
    let byteCount = RequestPaceTests.rate * 60
    var swarm = swarm(
      [silent, silent, silent, silent, VirtualPeer()], byteCount: byteCount, at: RequestPaceTests.rate)
    swarm.run()
    #expect(try #require(swarm.finished).duration < .seconds(75))
    #expect(mostIn10Seconds(swarm) <= Int(RequestPaceTests.rate) * 105 / 10 + 4 << 20)
  }

  @Test func `a low limit with short timeouts ends no download`() throws {
    var settings = DownloadSettings()
    settings.chunkTimeout = .milliseconds(500)
    // A leaf takes 16 s.
    var swarm = swarm([VirtualPeer()], byteCount: 160_000, at: 1_000, settings: settings)
    swarm.run()
    let stats = try #require(swarm.finished)
    #expect(stats.duration > .seconds(120) && stats.retries == 0)
  }

  @Test func `the bytes requested by all downloads together are bounded`() {
    var pace = RequestPace(bytesPerSecond: 1_000_000, paidUntil: .zero)
    #expect(pace.wait(inFlight: 359_000, at: .seconds(1)) == nil)
    #expect(pace.wait(inFlight: 361_000, at: .seconds(1)) != nil)
    var limiter = DownloadLimiter(bytesPerSecond: 1_000_000)
    var first = limiter.pace(of: DownloadID(1), at: .seconds(1))
    first.note(inFlight: 361_000)
    limiter.take(first, of: DownloadID(1), at: .seconds(1))
    var second = limiter.pace(of: DownloadID(2), at: .seconds(1))
    #expect(second.wait(inFlight: 0, at: .seconds(1)) != nil)
    // These requests hang: nothing has arrived for long.
    second = limiter.pace(of: DownloadID(2), at: .seconds(2))
    #expect(second.wait(inFlight: 0, at: .seconds(2)) == nil)
  }

  @Test func `downloads that wait for the limit take turns`() {
    var limiter = DownloadLimiter(bytesPerSecond: 1_000_000)
    var asked = [0, 0, 0]
    var now = Instant.seconds(1)
    for _ in 0..<3_000 {
      now = now + .milliseconds(1)
      // The first download always asks first.
      for number in 0..<3 {
        let id = DownloadID(UInt64(number))
        var pace = limiter.pace(of: id, at: now)
        while pace.wait(inFlight: 0, at: now) == nil {
          pace.asked(16_384, at: now)
          asked[number] += 16_384
        }
        limiter.take(pace, of: id, at: now)
      }
    }
    let all = asked.reduce(0, +)
    #expect((2_900_000...3_100_000).contains(all))
    #expect(asked.allSatisfy { abs($0 - all / 3) < 100_000 }, "\(asked)")
  }

  @Test func `lifting the limit takes effect at once`() {
    var limiter = DownloadLimiter(bytesPerSecond: 1_000)
    var pace = limiter.pace(of: DownloadID(1), at: .seconds(1))
    pace.asked(1 << 20, at: .seconds(1))
    limiter.take(pace, of: DownloadID(1), at: .seconds(1))
    pace = limiter.pace(of: DownloadID(1), at: .seconds(2))
    #expect(pace.wait(inFlight: 0, at: .seconds(2)) != nil)
    limiter.change(to: nil)
    pace = limiter.pace(of: DownloadID(1), at: .seconds(2))
    #expect(pace.wait(inFlight: 0, at: .seconds(2)) == nil)
  }

  @Test func `the explanation names the limit`() throws {
    var swarm = swarm([VirtualPeer()], byteCount: 20 << 20, at: RequestPaceTests.rate)
    swarm.run()
    let stats = try #require(swarm.finished)
    let explanation = DownloadExplanation(stats, maxWorkers: 8, downloadLimit: RequestPaceTests.rate)
    #expect(explanation.limits.first == .setting(RequestPaceTests.rate))
  }
}
