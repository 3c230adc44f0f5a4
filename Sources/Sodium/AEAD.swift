// Authenticated encryption with one key: ChaCha20-Poly1305 (RFC 8439) or AES-256-GCM. Only `init` and `rekey` allocate.
import CSodium

/// A key for one of the two ciphers, prepared for many calls and wiped at the end of this value.
public struct AEAD: ~Copyable, Sendable {
  public enum Algorithm: Hashable, Sendable {
    case chaChaPoly
    /// Needs a processor with AES instructions.
    case aesGCM

    /// Whether this processor supports the algorithm.
    public var isAvailable: Bool {
      Library.start()
      return switch self {
      case .chaChaPoly: true
      case .aesGCM: crypto_aead_aes256gcm_is_available() != 0
      }
    }
  }

  /// 12 bytes. A key must never seal twice with the same nonce.
  public struct Nonce: Sendable {
    fileprivate let bytes: InlineArray<12, UInt8>

    /// Makes four zero bytes, then `counter` with its lowest byte first.
    public init(littleEndian counter: UInt64) {
      bytes = InlineArray { $0 < 4 ? 0 : UInt8(truncatingIfNeeded: counter >> UInt64(8 * ($0 - 4))) }
    }

    /// Makes four zero bytes, then `counter` with its highest byte first.
    public init(bigEndian counter: UInt64) { self.init(littleEndian: counter.byteSwapped) }
  }

  /// 16, the bytes by which a ciphertext is longer than its plaintext.
  public static let tagByteCount = 16

  /// The most bytes of a plaintext in one call. Both ciphers could take more.
  private static let plaintextByteCountMax = 1 << 30

  public let algorithm: Algorithm

  // For ChaCha20-Poly1305, the key. For AES-256-GCM, libsodium's key schedule of 512 bytes.
  private let memory: WipedMemory

  /// Prepares a key for an algorithm, which must be available.
  public init(_ algorithm: Algorithm, key: borrowing SecretKey) {
    precondition(algorithm.isAvailable, "this processor cannot do the cipher")
    self.algorithm = algorithm
    switch algorithm {
    case .chaChaPoly: memory = WipedMemory(byteCount: SecretKey.byteCount)
    case .aesGCM: memory = WipedMemory(byteCount: MemoryLayout<crypto_aead_aes256gcm_state>.size)
    }
    load(key.memory.bytes)
  }

  /// Writes the ciphertext and its tag to `out`, from `offset` on: `plaintext.byteCount + 16` bytes.
  public func seal(
    _ plaintext: RawSpan, nonce: Nonce, authenticating data: RawSpan = RawSpan(), into out: inout MutableRawSpan,
    at offset: Int = 0
  ) {
    precondition(plaintext.byteCount <= AEAD.plaintextByteCountMax, "too much for one call")
    precondition(
      offset >= 0 && out.byteCount - offset >= plaintext.byteCount + AEAD.tagByteCount, "no room for the ciphertext")
    out.withUnsafeMutableBytes { out in
      plaintext.withUnsafeBytes { plaintext in
        encrypt(plaintext, nonce, data, to: out.baseAddress! + offset)
      }
    }
  }

  /// Writes the plaintext, `ciphertext.byteCount - 16` bytes, to the start of `out`. Returns false if the ciphertext
  /// was not made with this key, nonce and data; then the content of `out` is undefined.
  public func open(
    _ ciphertext: RawSpan, nonce: Nonce, authenticating data: RawSpan = RawSpan(), into out: inout MutableRawSpan
  ) -> Bool {
    guard ciphertext.byteCount >= AEAD.tagByteCount else { return false }
    precondition(out.byteCount >= ciphertext.byteCount - AEAD.tagByteCount, "no room for the plaintext")
    return out.withUnsafeMutableBytes { out in
      ciphertext.withUnsafeBytes { decrypt($0, nonce, data, to: out.baseAddress) }
    }
  }

  /// Replaces a ciphertext by its plaintext, which starts at the same place and is 16 bytes shorter. Otherwise as the
  /// other `open`.
  public func open(
    inPlace bytes: inout MutableRawSpan, nonce: Nonce, authenticating data: RawSpan = RawSpan()
  ) -> Bool {
    guard bytes.byteCount >= AEAD.tagByteCount else { return false }
    return bytes.withUnsafeMutableBytes { decrypt(UnsafeRawBufferPointer($0), nonce, data, to: $0.baseAddress) }
  }

  /// Changes the key by Noise's `REKEY`: the new key is the first 32 bytes of the ciphertext of 32 zero bytes.
  ///
  /// Source: the Noise specification, revision 34, section 4.2, where `nonce` is 2^64 − 1.
  public mutating func rekey(nonce: Nonce) {
    let next = WipedMemory(byteCount: SecretKey.byteCount + AEAD.tagByteCount)
    encrypt(UnsafeRawBufferPointer(start: next.start, count: SecretKey.byteCount), nonce, RawSpan(), to: next.start)
    load(next.bytes)
  }

  private func load(_ key: UnsafePointer<UInt8>) {
    switch algorithm {
    case .chaChaPoly: memory.start.copyMemory(from: key, byteCount: SecretKey.byteCount)
    case .aesGCM: _ = crypto_aead_aes256gcm_beforenm(schedule, key)
    }
  }

  private var schedule: UnsafeMutablePointer<crypto_aead_aes256gcm_state> {
    memory.start.assumingMemoryBound(to: crypto_aead_aes256gcm_state.self)
  }

  private func encrypt(
    _ plaintext: UnsafeRawBufferPointer, _ nonce: Nonce, _ data: RawSpan, to out: UnsafeMutableRawPointer
  ) {
    let out = out.assumingMemoryBound(to: UInt8.self)
    let plaintext = plaintext.assumingMemoryBound(to: UInt8.self)
    nonce.bytes.span.withUnsafeBufferPointer { nonce in
      data.withUnsafeBytes { data in
        let data = data.assumingMemoryBound(to: UInt8.self)
        switch algorithm {
        case .chaChaPoly:
          _ = crypto_aead_chacha20poly1305_ietf_encrypt(
            out, nil, plaintext.baseAddress, UInt64(plaintext.count), data.baseAddress, UInt64(data.count), nil,
            nonce.baseAddress!, memory.bytes)
        case .aesGCM:
          _ = crypto_aead_aes256gcm_encrypt_afternm(
            out, nil, plaintext.baseAddress, UInt64(plaintext.count), data.baseAddress, UInt64(data.count), nil,
            nonce.baseAddress!, schedule)
        }
      }
    }
  }

  private func decrypt(
    _ ciphertext: UnsafeRawBufferPointer, _ nonce: Nonce, _ data: RawSpan, to out: UnsafeMutableRawPointer?
  ) -> Bool {
    let out = out?.assumingMemoryBound(to: UInt8.self)
    let ciphertext = ciphertext.assumingMemoryBound(to: UInt8.self)
    return nonce.bytes.span.withUnsafeBufferPointer { nonce in
      data.withUnsafeBytes { data in
        let data = data.assumingMemoryBound(to: UInt8.self)
        return switch algorithm {
        case .chaChaPoly:
          crypto_aead_chacha20poly1305_ietf_decrypt(
            out, nil, nil, ciphertext.baseAddress!, UInt64(ciphertext.count), data.baseAddress, UInt64(data.count),
            nonce.baseAddress!, memory.bytes) == 0
        case .aesGCM:
          crypto_aead_aes256gcm_decrypt_afternm(
            out, nil, nil, ciphertext.baseAddress!, UInt64(ciphertext.count), data.baseAddress, UInt64(data.count),
            nonce.baseAddress!, schedule) == 0
        }
      }
    }
  }
}
