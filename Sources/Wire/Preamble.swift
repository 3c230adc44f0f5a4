// The 16 clear bytes before the handshake: protocol, version, cipher and pattern. Both ends authenticate them later.

/// Source: `Protocol/README.md`, "Preamble".
struct Preamble: Equatable {
  static let byteCount = 16
  /// "p2pnode"; the first two bytes, read as the length of a handshake message, are larger than any.
  static let magic = Array("p2pnode".utf8)
  static let version: UInt8 = 1

  let suite: CipherSuite
  let pattern: HandshakePattern

  func encode() -> [UInt8] {
    Preamble.magic + [Preamble.version, suite.rawValue, pattern.rawValue] + Array(repeating: 0, count: 6)
  }

  /// What goes before message 1 in the handshake hash.
  var prologue: [UInt8] { Array("p2pnode-noise-v1".utf8) + encode() }

  /// Takes up to 16 bytes; nil as long as they are fewer and nothing is wrong with them.
  static func decode(_ bytes: [UInt8]) throws(HandshakeError) -> Preamble? {
    let named = min(bytes.count, magic.count)
    guard bytes[..<named].elementsEqual(magic[..<named]) else { throw .notAP2PNode }
    guard bytes.count > magic.count else { return nil }
    guard bytes[magic.count] == version else { throw .otherVersion(bytes[magic.count]) }
    guard bytes.count >= byteCount else { return nil }
    guard let suite = CipherSuite(rawValue: bytes[8]), let pattern = HandshakePattern(rawValue: bytes[9]),
      bytes[10..<byteCount].allSatisfy({ $0 == 0 })
    else { throw .malformed(.preamble) }
    return Preamble(suite: suite, pattern: pattern)
  }
}
