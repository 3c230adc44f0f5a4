// A second implementation of the tables in section 9 of `Protocol/README.md`, which says which bodies are allowed. The
// decoder must agree with it.

enum FrameRules {
  /// Whether a control frame of a known type may have this body.
  static func allow(type: UInt8, body: [UInt8]) -> Bool {
    func u16(_ at: Int) -> Int { Int(body[at]) << 8 | Int(body[at + 1]) }
    func u32(_ at: Int) -> Int { u16(at) << 16 | u16(at + 2) }
    func areLeaves(_ at: Int) -> Bool { body[at + 1] >= 1 && Int(body[at]) + Int(body[at + 1]) <= 64 }
    let count = body.count
    guard count + 1 <= 65_536 else { return false }
    switch type {
    case 0x02: return count == 38
    case 0x04:
      guard count >= 5 else { return false }
      if body[4] != 0 { return body[4] <= 3 && count == 5 }
      return count >= 81 && body[79] <= 1 && Int(body[80]) == count - 81 && isText(body[81...])
    case 0x06, 0x10, 0x1A, 0x1C: return count == 8
    case 0x08:
      guard count >= 11 else { return false }
      let n = u16(8)
      guard (1...1_024).contains(n), count >= 11 + 32 * n else { return false }
      let m = Int(body[10 + 32 * n])
      return m <= 12 && count == 11 + 32 * (n + m)
    case 0x0A: return count == 15 && areLeaves(12) && body[14] <= 1
    case 0x0E, 0x23: return count == 4
    case 0x12:
      guard count >= 6, (1...10_921).contains(u16(4)), count == 6 + 6 * u16(4) else { return false }
      return stride(from: 10, to: count, by: 6).allSatisfy(areLeaves)
    case 0x14:
      guard count >= 12, (1...262_144).contains(u32(8)), u32(4) + u32(8) <= 1 << 22 else { return false }
      guard count == 12 + (u32(8) + 7) / 8, let last = body.last else { return false }
      return u32(8) % 8 == 0 || last << UInt8(u32(8) % 8) == 0
    case 0x16: return count == 5 && (1...4).contains(body[4])
    case 0x18: return arePeers(body)
    case 0x1E: return count >= 2 && body[1] <= 128 && count == 2 + Int(body[1]) && isText(body[2...])
    case 0x21: return count >= 6 && (1...16_382).contains(u16(4)) && count == 6 + 4 * u16(4)
    default: return false
    }
  }

  /// Whether a DATA frame with this length may begin with these bytes. They are all its fields except the leaves.
  static func allowData(bodyBytes: Int, _ start: [UInt8]) -> Bool {
    guard bodyBytes + 1 <= 69_632, start.count >= 7 else { return false }
    let (first, count, flags) = (Int(start[4]), Int(start[5]), start[6])
    guard (1...64).contains(count), first + count <= 64, flags <= 3 else { return false }
    var fields = 7
    if flags & 1 != 0 {
      guard start.count >= 8, (first + count...64).contains(Int(start[7])) else { return false }
      fields = 8 + 32 * Int(start[7])
    }
    return (1...min(16_384 * count, 65_536)).contains(bodyBytes - fields)
  }

  private static func arePeers(_ body: [UInt8]) -> Bool {
    guard body.count >= 5, body[4] <= 50 else { return false }
    var offset = 5
    for _ in 0..<body[4] {
      guard offset < body.count, body[offset] == 4 || body[offset] == 6 else { return false }
      offset += 1 + (body[offset] == 4 ? 4 : 16) + 2 + 32
    }
    return offset == body.count
  }

  private static func isText(_ bytes: ArraySlice<UInt8>) -> Bool {
    String(decoding: bytes, as: UTF8.self).utf8.elementsEqual(bytes)
  }
}
