// X25519: public keys, and the secret that two key pairs share (RFC 7748).
import CSodium

/// A hash or tag of 32 bytes, as a value that needs no allocation.
public typealias Bytes32 = InlineArray<32, UInt8>

/// An X25519 public key in the form in which it is sent: 32 bytes of any value.
public struct PublicKey: Equatable, Sendable {
  /// 32, the length of a public key in bytes.
  public static let byteCount = 32

  private let storage: Bytes32

  init(_ storage: Bytes32) { self.storage = storage }

  /// Takes 32 bytes of a span from `offset` on. The span must have them.
  public init(_ bytes: RawSpan, at offset: Int = 0) {
    precondition(offset >= 0 && bytes.byteCount - offset >= PublicKey.byteCount, "a public key is 32 bytes")
    storage = Bytes32 { bytes.unsafeLoad(fromByteOffset: offset + $0, as: UInt8.self) }
  }

  /// Lends the 32 bytes.
  public func withBytes<R: ~Copyable, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
    try body(storage.span.bytes)
  }

  /// The 32 bytes.
  public var bytes: [UInt8] { storage.indices.map { storage[$0] } }

  public static func == (a: PublicKey, b: PublicKey) -> Bool {
    a.storage.indices.allSatisfy { a.storage[$0] == b.storage[$0] }
  }
}

extension SecretKey {
  /// The public key for this secret as an X25519 private key. The bytes are clamped as RFC 7748 requires.
  public var publicKey: PublicKey {
    var point = Bytes32(repeating: 0)
    var span = point.mutableSpan
    let result = span.withUnsafeMutableBufferPointer { crypto_scalarmult_base($0.baseAddress!, memory.bytes) }
    precondition(result == 0, "a base point multiplication cannot fail")
    return PublicKey(point)
  }

  /// Returns the secret that this private key and the other side's public key share. Nil for a point of low order, with
  /// which the result would be the same for every private key.
  public func sharedSecret(with other: PublicKey) -> SecretKey? {
    let shared = SecretKey()
    let result = other.withBytes { point in
      point.withUnsafeBytes {
        crypto_scalarmult(shared.memory.bytes, memory.bytes, $0.assumingMemoryBound(to: UInt8.self).baseAddress!)
      }
    }
    guard result == 0 else { return nil }
    return shared
  }
}
