// A secret of 32 bytes: a private key, a pre-shared key or a chaining key. It has one owner and no implicit copies, and
// is wiped at its end.
import CSodium

/// 32 secret bytes that are never copied implicitly, and that are wiped at the end of this value.
public struct SecretKey: ~Copyable, Sendable {
  /// 32, the length of every key of the channel in bytes.
  public static let byteCount = 32

  let memory: WipedMemory

  /// Makes 32 zero bytes for the caller to fill.
  init() { memory = WipedMemory(byteCount: SecretKey.byteCount) }

  /// Copies exactly 32 bytes. The owner of the source must wipe it.
  /// - Precondition: `source` has 32 bytes. `StaticIdentity(file:)` and `SwarmKey(file:)` of the library check a file first.
  public init(copying source: RawSpan) {
    precondition(source.byteCount == SecretKey.byteCount, "a secret key is 32 bytes")
    self.init()
    source.withUnsafeBytes { memory.start.copyMemory(from: $0.baseAddress!, byteCount: SecretKey.byteCount) }
  }

  /// Makes 32 random bytes for an identity, an ephemeral key or a swarm key.
  public static func random() -> SecretKey {
    let key = SecretKey()
    randombytes_buf(key.memory.start, SecretKey.byteCount)
    return key
  }

  /// Returns an explicit copy of the bytes.
  public func copy() -> SecretKey {
    let key = SecretKey()
    key.memory.start.copyMemory(from: memory.start, byteCount: SecretKey.byteCount)
    return key
  }

  /// Whether all 32 bytes are 0. The time that this takes does not depend on them.
  public var isZero: Bool {
    Library.start()
    return sodium_is_zero(memory.bytes, SecretKey.byteCount) == 1
  }

  /// Lends the 32 bytes, to hash them or to write them to a file of mode 0600.
  public func withBytes<R: ~Copyable, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
    try body(UnsafeRawBufferPointer(start: memory.start, count: SecretKey.byteCount).bytes)
  }
}
