// SHA-256 straight from a span, without a copy: the only file of this room in which a pointer is seen, and it keeps none.
import Crypto

extension Digest {
  /// The SHA-256 of some bytes.
  public init(sha256 bytes: RawSpan) {
    var hash = SHA256()
    bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
    self.init(hash.finalize())
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
