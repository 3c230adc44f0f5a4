// SHA-256 for the handshake. Content is hashed with swift-crypto, which is faster on long input.
import CSodium

/// Computes SHA-256 of bytes that come in parts.
public struct SHA256: ~Copyable {
  private var state = crypto_hash_sha256_state()

  public init() {
    Library.start()
    crypto_hash_sha256_init(&state)
  }

  public mutating func update(_ part: RawSpan) {
    part.withUnsafeBytes { bytes in
      _ = crypto_hash_sha256_update(
        &state, bytes.assumingMemoryBound(to: UInt8.self).baseAddress, UInt64(bytes.count))
    }
  }

  /// Returns the hash of 32 bytes.
  public consuming func finish() -> Bytes32 {
    var hash = Bytes32(repeating: 0)
    var span = hash.mutableSpan
    span.withUnsafeMutableBufferPointer { _ = crypto_hash_sha256_final(&state, $0.baseAddress!) }
    return hash
  }
}
