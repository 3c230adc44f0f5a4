// A SHA-256 value: 32 bytes, in the order in which they are hashed and sent.

/// 32 bytes of SHA-256, as a value that costs no allocation.
public struct Digest: Hashable, Sendable, CustomStringConvertible {
  /// 32, the bytes of a SHA-256 value.
  public static let byteCount = 32
  /// 32 zero bytes: the hash of a missing leaf and the root of an empty file (BEP 52).
  public static let zero = Digest(words: (0, 0, 0, 0))

  private static let zeros: [UInt8] = Array(repeating: 0, count: byteCount)

  // The 32 bytes as four big-endian words.
  private let word0, word1, word2, word3: UInt64

  private init(words: (UInt64, UInt64, UInt64, UInt64)) {
    (word0, word1, word2, word3) = words
  }

  /// The 32 bytes as four big-endian words: the first word holds the first eight bytes.
  var words: (UInt64, UInt64, UInt64, UInt64) { (word0, word1, word2, word3) }

  /// The first eight bytes as a big-endian number: enough to distinguish most digests.
  public var mark: UInt64 { word0 }

  /// Takes exactly 32 bytes; nil for any other count.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Digest.byteCount else { return nil }
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    for (i, byte) in bytes.enumerated() {
      switch i / 8 {
      case 0: words.0 = words.0 << 8 | UInt64(byte)
      case 1: words.1 = words.1 << 8 | UInt64(byte)
      case 2: words.2 = words.2 << 8 | UInt64(byte)
      default: words.3 = words.3 << 8 | UInt64(byte)
      }
    }
    self.init(words: words)
  }

  /// Takes the 32 bytes of a span that start at `offset`. The span must have them.
  public init(_ bytes: RawSpan, at offset: Int) {
    func word(_ i: Int) -> UInt64 {
      UInt64(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset + 8 * i, as: UInt64.self))
    }
    precondition(offset >= 0 && bytes.byteCount - offset >= Digest.byteCount, "a digest is 32 bytes")
    self.init(words: (word(0), word(1), word(2), word(3)))
  }

  /// Takes 64 hexadecimal digits of either case; nil for anything else.
  public init?(hex: some StringProtocol) {
    let digits = Array(hex.utf8)
    guard digits.count == 2 * Digest.byteCount else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Digest.byteCount)
    for i in stride(from: 0, to: digits.count, by: 2) {
      guard let high = Digest.value(ofDigit: digits[i]), let low = Digest.value(ofDigit: digits[i + 1]) else {
        return nil
      }
      bytes.append(high << 4 | low)
    }
    self.init(bytes)
  }

  /// The 32 bytes.
  public var bytes: [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(Digest.byteCount)
    append(to: &out)
    return out
  }

  /// Appends the 32 bytes.
  public func append(to out: inout [UInt8]) {
    let start = out.count
    out += Digest.zeros
    var span = out.mutableSpan
    var bytes = span.mutableBytes
    let words: [4 of UInt64] = [word0, word1, word2, word3]
    for i in words.indices { bytes.storeBytes(of: words[i].bigEndian, toByteOffset: start + 8 * i, as: UInt64.self) }
  }

  /// 64 lower-case hexadecimal digits.
  public var hex: String {
    let digits = Array("0123456789abcdef".utf8)
    var out: [UInt8] = []
    out.reserveCapacity(2 * Digest.byteCount)
    for byte in bytes {
      out.append(digits[Int(byte >> 4)])
      out.append(digits[Int(byte & 15)])
    }
    return String(decoding: out, as: UTF8.self)
  }

  public var description: String { hex }

  private static func value(ofDigit digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
