// Noise's SymmetricState: one hash and one key over all that both ends of a handshake have sent.
import Content
import Sodium

/// Source: the Noise specification, revision 34, section 5.2.
struct SymmetricState: ~Copyable {
  private let suite: CipherSuite
  private var chainingKey: SecretKey
  private var cipher = CipherState()
  /// Noise's `h`. At the end of the handshake both ends have the same value, and no other peer has it.
  private(set) var handshakeHash: Digest

  init(_ pattern: HandshakePattern, _ suite: CipherSuite) {
    self.suite = suite
    var name = Array("Noise_\(pattern.name)_25519_\(suite.name)_SHA256".utf8)
    if name.count <= Digest.byteCount {
      name += Array(repeating: 0, count: Digest.byteCount - name.count)
    } else {
      name = Digest.hash(of: name.span.bytes).bytes
    }
    handshakeHash = Digest(name.span.bytes, at: 0)
    chainingKey = SecretKey(copying: name.span.bytes)
  }

  mutating func mixHash(_ bytes: RawSpan) {
    handshakeHash = Digest.hash(of: handshakeHash.bytes.span.bytes, bytes)
  }

  mutating func mixKey(_ input: RawSpan) {
    var outputs = HKDF(chainingKey: chainingKey, input: input)
    chainingKey = outputs.next()
    cipher = CipherState(suite, key: outputs.next())
  }

  mutating func mixKeyAndHash(_ input: RawSpan) {
    var outputs = HKDF(chainingKey: chainingKey, input: input)
    chainingKey = outputs.next()
    outputs.next().withBytes { mixHash($0) }
    cipher = CipherState(suite, key: outputs.next())
  }

  /// How many bytes an encrypted part of the next message is longer than its plaintext.
  var tagByteCount: Int { cipher.tagByteCount }

  mutating func encryptAndHash(_ plaintext: RawSpan, appendingTo message: inout [UInt8]) {
    let start = message.count
    message += Array(repeating: 0, count: plaintext.byteCount + cipher.tagByteCount)
    let data = handshakeHash.bytes
    var elements = message.mutableSpan
    var out = elements.mutableBytes
    cipher.seal(plaintext, authenticating: data.span.bytes, into: &out, at: start)
    mixHash(message.span.bytes.extracting(start..<message.count))
  }

  mutating func decryptAndHash(_ ciphertext: RawSpan) throws(HandshakeState.Failure) -> [UInt8] {
    guard ciphertext.byteCount >= cipher.tagByteCount else { throw .truncated }
    var plaintext = [UInt8](repeating: 0, count: ciphertext.byteCount - cipher.tagByteCount)
    let data = handshakeHash.bytes
    var elements = plaintext.mutableSpan
    var out = elements.mutableBytes
    guard cipher.open(ciphertext, authenticating: data.span.bytes, into: &out) else { throw .authentication }
    mixHash(ciphertext)
    return plaintext
  }

  /// Returns the ciphers for the records, one for each direction.
  consuming func split() -> TransportCiphers {
    var outputs = HKDF(chainingKey: chainingKey, input: RawSpan())
    return TransportCiphers(
      fromDialer: CipherState(suite, key: outputs.next()), fromListener: CipherState(suite, key: outputs.next()))
  }
}

/// The two ciphers of a finished handshake.
struct TransportCiphers: ~Copyable {
  var fromDialer: CipherState
  var fromListener: CipherState
}

extension Digest {
  /// SHA-256 of one or two parts, for the handshake and identities. Content has its own implementation for files.
  static func hash(of first: RawSpan, _ second: RawSpan = RawSpan()) -> Digest {
    var hash = SHA256()
    hash.update(first)
    hash.update(second)
    return Digest(hash.finish())
  }

  init(_ bytes: Bytes32) { self.init(bytes.span.bytes, at: 0) }
}
