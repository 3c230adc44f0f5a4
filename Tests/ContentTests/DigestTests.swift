// Digests and fileIDs as bytes and as hexadecimal digits.
import Testing

@testable import Content

@Suite struct DigestTests {
  private let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

  @Test func `a digest comes from bytes or digits and gives the same bytes and digits back`() throws {
    let digest = try #require(Digest(Array(0..<32 as Range<UInt8>)))
    #expect(digest.hex == hex && digest.bytes == Array(0..<32))
    #expect(Digest(hex: hex) == digest && Digest(hex: hex.uppercased()) == digest)
    #expect(FileID(hex: hex)?.hex == hex)
    let longer: [UInt8] = [9, 9] + digest.bytes + [9]
    let found = Digest(longer.span.bytes, at: 2)
    #expect(found == digest)
    var out: [UInt8] = [7]
    digest.append(to: &out)
    #expect(out == [7] + Array(0..<32))
  }

  @Test func `a digest refuses every other count of bytes or digits`() {
    for count in 0...70 where count != 32 { #expect(Digest([UInt8](repeating: 1, count: count)) == nil) }
    for count in 0...70 where count != 64 { #expect(Digest(hex: String(repeating: "1", count: count)) == nil) }
  }

  @Test(arguments: ["g", "/", ":", "@", "`", "G", " ", "-", "é", "１"])
  func `a digest refuses characters that are not hexadecimal digits`(character: String) {
    for place in [0, 1, 31, 63] {
      let start = hex.prefix(place)
      let rest = hex.dropFirst(place + character.utf8.count)
      #expect(Digest(hex: start + character + rest) == nil)
    }
  }
}
