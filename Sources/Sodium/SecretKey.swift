// A secret of 32 bytes: a private key, a pre-shared key, a chaining key. One owner, no silent copies, wiped at its end.
import CSodium

/// 32 secret bytes that nothing copies by accident and that are wiped when their owner goes.
public struct SecretKey: ~Copyable, Sendable {
  /// 32, the bytes of every key of the channel.
  public static let byteCount = 32

  let memory: WipedMemory

  /// 32 zero bytes, to be filled by the caller.
  init() { memory = WipedMemory(byteCount: SecretKey.byteCount) }

  /// Copies exactly 32 bytes. Wiping the source is its owner's business.
  /// - Precondition: `source` has 32 bytes. `StaticIdentity(file:)` and `SwarmKey(file:)` of the library check a file first.
  public init(copying source: RawSpan) {
    precondition(source.byteCount == SecretKey.byteCount, "a secret key is 32 bytes")
    self.init()
    source.withUnsafeBytes { memory.start.copyMemory(from: $0.baseAddress!, byteCount: SecretKey.byteCount) }
  }

  /// 32 fresh random bytes: an identity, an ephemeral key or a swarm key.
  public static func random() -> SecretKey {
    let key = SecretKey()
    randombytes_buf(key.memory.start, SecretKey.byteCount)
    return key
  }

  /// A second owner of the same bytes.
  public func copy() -> SecretKey {
    let key = SecretKey()
    key.memory.start.copyMemory(from: memory.start, byteCount: SecretKey.byteCount)
    return key
  }

  /// Lends the 32 bytes, to hash them or to write them to a file of mode 0600.
  public func withBytes<R: ~Copyable, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
    try body(UnsafeRawBufferPointer(start: memory.start, count: SecretKey.byteCount).bytes)
  }
}
