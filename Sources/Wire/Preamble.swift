// The 16 unencrypted bytes before the handshake: protocol, version, suite, pattern. The handshake authenticates them.

/// Source: `Protocol/README.md`, "Preamble".
struct Preamble: Equatable {
  static let byteCount = 16
  /// "p2pnode". As the length of a handshake message, its first two bytes would be too large.
  static let magic = Array("p2pnode".utf8)
  static let version: UInt8 = 1

  let suite: CipherSuite
  let pattern: HandshakePattern

  func encode() -> [UInt8] {
    Preamble.magic + [Preamble.version, suite.rawValue, pattern.rawValue] + Array(repeating: 0, count: 6)
  }

  /// The bytes that are mixed into the handshake hash before message 1.
  var prologue: [UInt8] { Array("p2pnode-noise-v1".utf8) + encode() }

  /// Decodes up to 16 bytes. Nil if there are fewer and none of them is wrong.
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
