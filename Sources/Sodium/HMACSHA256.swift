// HMAC-SHA256 (RFC 2104), and Noise's key derivation with it.
import CSodium

/// Computes HMAC-SHA256 of bytes that come in parts. The key material in memory is wiped at the end of this value.
public struct HMACSHA256: ~Copyable {
  private let memory = WipedMemory(byteCount: MemoryLayout<crypto_auth_hmacsha256_state>.size)

  private var state: UnsafeMutablePointer<crypto_auth_hmacsha256_state> {
    memory.start.assumingMemoryBound(to: crypto_auth_hmacsha256_state.self)
  }

  public init(key: borrowing SecretKey) {
    _ = crypto_auth_hmacsha256_init(state, key.memory.bytes, SecretKey.byteCount)
  }

  /// Takes a key of any length except 0.
  public init(key: RawSpan) {
    precondition(!key.isEmpty, "a key has bytes")
    let state = state
    key.withUnsafeBytes {
      _ = crypto_auth_hmacsha256_init(state, $0.assumingMemoryBound(to: UInt8.self).baseAddress!, $0.count)
    }
  }

  public mutating func update(_ part: RawSpan) {
    let state = state
    part.withUnsafeBytes {
      _ = crypto_auth_hmacsha256_update(state, $0.assumingMemoryBound(to: UInt8.self).baseAddress, UInt64($0.count))
    }
  }

  /// Returns the tag of 32 bytes.
  public consuming func finish() -> Bytes32 {
    var tag = Bytes32(repeating: 0)
    var span = tag.mutableSpan
    let state = state
    span.withUnsafeMutableBufferPointer { _ = crypto_auth_hmacsha256_final(state, $0.baseAddress!) }
    return tag
  }

  /// Returns the tag as a secret key.
  public consuming func finishSecret() -> SecretKey {
    let tag = SecretKey()
    _ = crypto_auth_hmacsha256_final(state, tag.memory.bytes)
    return tag
  }
}

/// Noise's `HKDF(chaining_key, input_key_material, n)`. The first call of `next` returns output 1, and so on.
///
/// Source: the Noise specification, revision 34, section 4.3; it is RFC 5869 with empty info.
public struct HKDF: ~Copyable {
  private let key: SecretKey
  private var previous: SecretKey?
  private var counter: UInt8 = 0

  public init(chainingKey: borrowing SecretKey, input: RawSpan) {
    var extract = HMACSHA256(key: chainingKey)
    extract.update(input)
    key = extract.finishSecret()
  }

  public mutating func next() -> SecretKey {
    counter += 1
    var expand = HMACSHA256(key: key)
    if let last = previous.take() { last.withBytes { expand.update($0) } }
    withUnsafeBytes(of: counter) { expand.update($0.bytes) }
    let output = expand.finishSecret()
    previous = output.copy()
    return output
  }
}
