// Noise's CipherState: a key and the number of its next message. A number never repeats under one key.
import Sodium

/// The cipher of a channel. The raw values are those of the preamble.
public enum CipherSuite: UInt8, Hashable, Sendable {
  case chaChaPoly = 1
  case aesGCM = 2

  /// The suites that this processor supports, the faster one first.
  public static var available: [CipherSuite] {
    [.aesGCM, .chaChaPoly].filter { $0.algorithm.isAvailable }
  }

  /// The name as it appears in Noise protocol names.
  var name: String {
    switch self {
    case .chaChaPoly: "ChaChaPoly"
    case .aesGCM: "AESGCM"
    }
  }

  var algorithm: AEAD.Algorithm {
    switch self {
    case .chaChaPoly: .chaChaPoly
    case .aesGCM: .aesGCM
    }
  }
}

/// A cipher with one key. Source: the Noise specification, revision 34, section 5.1; nonces as in section 12.
struct CipherState: ~Copyable, Sendable {
  private enum Key: ~Copyable, Sendable {
    /// Before the first key is mixed in, bytes pass unchanged.
    case none
    case aead(AEAD)
    /// For simulations only: bytes pass unencrypted, with a tag of zeros, so all lengths are those of a real channel.
    case unencrypted
  }

  /// This nonce is reserved for REKEY. No message uses it.
  private static let nonceOfRekey = UInt64.max

  private var key: Key
  /// The number of the next message, from 0.
  private(set) var nonce: UInt64 = 0

  /// Makes a cipher without a key.
  init() { key = .none }

  init(_ suite: CipherSuite, key: borrowing SecretKey) { self.key = .aead(AEAD(suite.algorithm, key: key)) }

  private init(key: consuming Key) { self.key = key }

  static func unencrypted() -> CipherState { CipherState(key: .unencrypted) }

  /// How many bytes a ciphertext is longer than its plaintext: 0 or 16.
  var tagByteCount: Int {
    switch key {
    case .none: 0
    case .aead: AEAD.tagByteCount
    case .unencrypted: AEAD.tagByteCount
    }
  }

  /// `EncryptWithAd`: writes `plaintext.byteCount + tagByteCount` bytes to `out`, starting at `offset`.
  mutating func seal(
    _ plaintext: RawSpan, authenticating data: RawSpan = RawSpan(), into out: inout MutableRawSpan, at offset: Int
  ) {
    switch key {
    case .none: CipherState.copy(plaintext, to: &out, at: offset)
    case .aead(let aead):
      precondition(nonce != CipherState.nonceOfRekey, "a key's messages are used up")
      aead.seal(
        plaintext, nonce: CipherState.nonce(nonce, aead.algorithm), authenticating: data, into: &out, at: offset)
      nonce += 1
    case .unencrypted:
      CipherState.copy(plaintext, to: &out, at: offset)
      for i in 0..<AEAD.tagByteCount {
        out.storeBytes(of: 0, toByteOffset: offset + plaintext.byteCount + i, as: UInt8.self)
      }
      nonce += 1
    }
  }

  /// `DecryptWithAd`: writes `ciphertext.byteCount - tagByteCount` bytes to the start of `out`. Returns false if the
  /// ciphertext is not the next message that the peer sealed.
  mutating func open(
    _ ciphertext: RawSpan, authenticating data: RawSpan = RawSpan(), into out: inout MutableRawSpan
  ) -> Bool {
    switch key {
    case .none:
      CipherState.copy(ciphertext, to: &out, at: 0)
      return true
    case .aead(let aead):
      guard nonce != CipherState.nonceOfRekey else { return false }
      guard
        aead.open(
          ciphertext, nonce: CipherState.nonce(nonce, aead.algorithm), authenticating: data, into: &out)
      else { return false }
    case .unencrypted:
      guard ciphertext.byteCount >= AEAD.tagByteCount else { return false }
      CipherState.copy(ciphertext.extracting(0..<ciphertext.byteCount - AEAD.tagByteCount), to: &out, at: 0)
    }
    nonce += 1
    return true
  }

  /// Does the same without associated data. The plaintext replaces the ciphertext in place.
  mutating func open(inPlace bytes: inout MutableRawSpan) -> Bool {
    switch key {
    case .none: return true
    case .aead(let aead):
      guard nonce != CipherState.nonceOfRekey else { return false }
      guard aead.open(inPlace: &bytes, nonce: CipherState.nonce(nonce, aead.algorithm)) else { return false }
    case .unencrypted:
      guard bytes.byteCount >= AEAD.tagByteCount else { return false }
    }
    nonce += 1
    return true
  }

  /// `REKEY`: derives a new key from the old one. The message number continues.
  mutating func rekey() {
    var old = Key.none
    swap(&old, &key)
    switch consume old {
    case .none: break
    case .unencrypted: key = .unencrypted
    case .aead(var aead):
      aead.rekey(nonce: CipherState.nonce(CipherState.nonceOfRekey, aead.algorithm))
      key = .aead(aead)
    }
  }

  private static func nonce(_ number: UInt64, _ algorithm: AEAD.Algorithm) -> AEAD.Nonce {
    switch algorithm {
    case .chaChaPoly: AEAD.Nonce(littleEndian: number)
    case .aesGCM: AEAD.Nonce(bigEndian: number)
    }
  }

  private static func copy(_ source: RawSpan, to out: inout MutableRawSpan, at offset: Int) {
    for i in source.byteOffsets {
      out.storeBytes(of: source.unsafeLoad(fromByteOffset: i, as: UInt8.self), toByteOffset: offset + i, as: UInt8.self)
    }
  }
}
