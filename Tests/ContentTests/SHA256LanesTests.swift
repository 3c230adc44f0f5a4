// SHA-256 of several messages in parallel gives the same hashes as one after another.
import CSHA256
import Testing

@testable import Content

@Suite(.enabled(if: p2p_sha256_lanes_supported(), "this processor has no SHA instructions"))
struct SHA256LanesTests {
  /// Bytes that differ from place to place.
  private static let bytes: [UInt8] = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ $0 >> 8) }

  private func hashes(_ lengths: [Int], sideBySide: Bool) -> [Digest] {
    let bytes = SHA256LanesTests.bytes[..<lengths.reduce(0, +)]
    return SHA256Lanes.hashes(of: Array(bytes).span.bytes, lengths: lengths, sideBySide: sideBySide)
  }

  /// The examples of FIPS 180-4: "abc", and 56 bytes, whose padding needs a block of its own.
  @Test func `published messages hashed side by side have their published hashes`() {
    let messages = ["abc", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"]
    let hashes = SHA256Lanes.hashes(
      of: Array(messages.joined().utf8).span.bytes, lengths: messages.map(\.utf8.count), sideBySide: true)
    #expect(
      hashes.map(\.hex) == [
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
      ])
  }

  @Test func `messages of each length around a block's end have the right hash`() {
    let lengths = Array(0...260)
    #expect(hashes(lengths, sideBySide: true) == hashes(lengths, sideBySide: false))
  }

  @Test func `any number of messages of one length has the right hashes`() {
    for count in 2...9 {
      let lengths = Array(repeating: 16_384, count: count)
      #expect(hashes(lengths, sideBySide: true) == hashes(lengths, sideBySide: false), "\(count) messages")
    }
  }

  @Test func `messages of any lengths get the right hashes in the order of the messages`() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<200 {
      let lengths = (0..<Int.random(in: 2...12, using: &generator)).map { _ in
        Int.random(in: 0...Int.random(in: 1...9000, using: &generator), using: &generator)
      }
      #expect(hashes(lengths, sideBySide: true) == hashes(lengths, sideBySide: false), "lengths \(lengths)")
    }
  }
}
