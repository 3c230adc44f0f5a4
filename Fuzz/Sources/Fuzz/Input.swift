// A fuzzer input as a source of decisions: numbers while there are bytes, then zeros.

struct Input {
  private let bytes: [UInt8]
  private var offset = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { offset == bytes.count }

  mutating func u8() -> UInt8 {
    guard offset < bytes.count else { return 0 }
    defer { offset += 1 }
    return bytes[offset]
  }

  mutating func u16() -> UInt16 { UInt16(u8()) << 8 | UInt16(u8()) }
  mutating func u32() -> UInt32 { UInt32(u16()) << 16 | UInt32(u16()) }
  mutating func u64() -> UInt64 { UInt64(u32()) << 32 | UInt64(u32()) }

  /// A number from 0 to `limit - 1`; `limit` is 1 to 256.
  mutating func number(below limit: Int) -> Int { Int(u8()) % limit }

  /// Takes `count` bytes, or fewer if the input ends.
  mutating func take(_ count: Int) -> [UInt8] {
    let end = min(offset + count, bytes.count)
    defer { offset = end }
    return Array(bytes[offset..<end])
  }

  mutating func rest() -> [UInt8] { take(bytes.count - offset) }

  /// Takes 32 bytes, with zeros after the end of the input.
  mutating func bytes32() -> [UInt8] {
    let taken = take(32)
    return taken + Array(repeating: 0, count: 32 - taken.count)
  }
}
