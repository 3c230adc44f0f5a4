// X25519: public keys, and the secret that two key pairs share (RFC 7748).
import CSodium

/// 32 bytes of hash or tag, as a value that costs no allocation.
public typealias Bytes32 = InlineArray<32, UInt8>

/// An X25519 public key as it is sent: 32 bytes, of which any value is accepted here.
public struct PublicKey: Equatable, Sendable {
  /// 32, the bytes of a public key.
  public static let byteCount = 32

  private let storage: Bytes32

  init(_ storage: Bytes32) { self.storage = storage }

  /// Takes 32 bytes of a span from `offset` on, which must be there.
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
  /// The public key of this secret as an X25519 private key; the bytes are clamped as RFC 7748 wants.
  public var publicKey: PublicKey {
    var point = Bytes32(repeating: 0)
    var span = point.mutableSpan
    let result = span.withUnsafeMutableBufferPointer { crypto_scalarmult_base($0.baseAddress!, memory.bytes) }
    precondition(result == 0, "a base point multiplication cannot fail")
    return PublicKey(point)
  }

  /// What this private key and the other side's public key share; nil for a point of low order, whose result would be
  /// the same for every private key.
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
