// Hostile bytes from a seeded generator. Nothing traps, and splitting them makes no difference.
import Testing

@testable import Wire

@Suite struct FrameFuzzTests {
  @Test func `damaged frames are read the same way however they are split`() {
    for seed in UInt64(0)..<4_000 {
      var random = SplitMix64(state: seed)
      var bytes = (0..<4).flatMap { _ in FrameExample.small.randomElement(using: &random)!.frame }
      for _ in 0..<Int.random(in: 0...3, using: &random) { damage(&bytes, by: &random) }
      let (whole, wholeError) = outcome(of: bytes) { (stream, bytes) throws(WireError) in try stream.feed(bytes) }
      let (split, splitError) = outcome(of: bytes) { (stream, bytes) throws(WireError) in
        try stream.feed(bytes, splitBy: &random)
      }
      #expect(whole.messages == split.messages && wholeError == splitError, "seed \(seed)")
      #expect(whole.payload == split.payload && whole.decoder.isMidFrame == split.decoder.isMidFrame, "seed \(seed)")
      for message in whole.messages { checkCanonical(message, seed) }
    }
  }

  @Test func `random bodies of every type give a message or an error`() {
    for seed in UInt64(0)..<4_000 {
      var random = SplitMix64(state: seed)
      let type = FrameType.allCases.randomElement(using: &random)!
      let count = type.bodyBytes.lowerBound + Int.random(in: 0...min(type.bodyBytes.count - 1, 300), using: &random)
      // Small values get further than random ones, because counts and flags are then possible.
      let most: UInt8 = Bool.random(using: &random) ? 2 : .max
      let body = (0..<count).map { _ in UInt8.random(in: 0...most, using: &random) }
      let (stream, error) = outcome(of: frame(of: type.rawValue, body)) { (stream, bytes) throws(WireError) in
        try stream.feed(bytes)
      }
      #expect((stream.messages.count == 1) == (error == nil), "seed \(seed)")
      for message in stream.messages { checkCanonical(message, seed) }
    }
  }

  /// Checks that a decoded message decodes to the same after it is encoded again.
  private func checkCanonical(_ message: Message, _ seed: UInt64) {
    var stream = FrameStream()
    #expect(throws: Never.self, "seed \(seed)") { try stream.feed(FrameExample(message).frame) }
    #expect(stream.messages == [message], "seed \(seed)")
  }

  private func outcome(
    of bytes: [UInt8], _ feed: (inout FrameStream, [UInt8]) throws(WireError) -> Void
  ) -> (FrameStream, WireError?) {
    var stream = FrameStream()
    do throws(WireError) {
      try feed(&stream, bytes)
      return (stream, nil)
    } catch {
      return (stream, error)
    }
  }

  private func damage(_ bytes: inout [UInt8], by random: inout SplitMix64) {
    let at = Int.random(in: 0..<bytes.count, using: &random)
    switch Int.random(in: 0..<4, using: &random) {
    case 0: bytes[at] = UInt8.random(in: 0...(.max), using: &random)
    case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 2 where bytes.count > 1: bytes.remove(at: at)
    default: bytes.insert(UInt8.random(in: 0...(.max), using: &random), at: at)
    }
  }
}
