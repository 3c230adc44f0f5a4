// SHA-256 straight from a span, without a copy: the only file of this room in which a pointer is seen, and it keeps none.
import Crypto

extension Digest {
  /// The SHA-256 of some bytes.
  public init(sha256 bytes: RawSpan) {
    var hash = SHA256()
    bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
    self.init(hash.finalize())
  }

  /// HMAC-SHA256 (RFC 2104) of some bytes. Many times faster than libsodium's on a processor with instructions for SHA-256.
  /// - `key`: one that a process holds in the clear, since its copies are not wiped.
  public init(hmacSHA256 bytes: RawSpan, key: Digest) {
    var inner = Digest.hash(of: key, paddedWith: 0x36)
    bytes.withUnsafeBytes { inner.update(bufferPointer: $0) }
    var outer = Digest.hash(of: key, paddedWith: 0x5c)
    inner.finalize().withUnsafeBytes { outer.update(bufferPointer: $0) }
    self.init(outer.finalize())
  }

  private static func hash(of key: Digest, paddedWith pad: UInt8) -> SHA256 {
    var block = [64 of UInt8](repeating: pad)
    for (i, byte) in key.bytes.enumerated() { block[i] ^= byte }
    var hash = SHA256()
    block.span.bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
    return hash
  }

  fileprivate init(_ value: SHA256Digest) {
    self = value.withUnsafeBytes { Digest(RawSpan(_unsafeBytes: $0), at: 0) }
  }
}

/// A SHA-256 of bytes that come in pieces. A value: a copy goes on by itself.
struct StreamingSHA256: Sendable {
  private var hash = SHA256()

  mutating func update(_ bytes: RawSpan) {
    bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
  }

  /// The hash of all that was given so far.
  func digest() -> Digest { Digest(hash.finalize()) }
}
