// SHA-256 of a span without a copy. This is the only file of Content with pointers, and it keeps none.
import CSHA256
import Crypto

extension Digest {
  /// The SHA-256 of the bytes.
  public init(sha256 bytes: RawSpan) {
    var hash = SHA256()
    bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
    self.init(hash.finalize())
  }

  /// HMAC-SHA256 (RFC 2104) of the bytes. On a processor with SHA-256 instructions, many times faster than libsodium's.
  /// - `key`: a key that the process holds in the clear anyway: its copies are not wiped.
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

/// SHA-256 of several messages at once.
enum SHA256Lanes {
  /// Whether the processor hashes several messages side by side faster than one after another.
  static let areFast = p2p_sha256_lanes_fast()

  /// Returns the hash of each message. The messages follow one another in `bytes` and fill it.
  /// - `lengths`: the length of each message, in bytes.
  static func hashes(of bytes: RawSpan, lengths: [Int], sideBySide: Bool = areFast) -> [Digest] {
    precondition(lengths.reduce(0, +) == bytes.byteCount, "the messages fill the bytes")
    guard sideBySide, lengths.count > 1 else {
      var start = 0
      return lengths.map { length in
        defer { start += length }
        return Digest(sha256: bytes.extracting(start..<start + length))
      }
    }
    var digests = [UInt8](repeating: 0, count: lengths.count * Digest.byteCount)
    bytes.withUnsafeBytes { bytes in
      lengths.withUnsafeBufferPointer { lengths in
        digests.withUnsafeMutableBufferPointer { digests in
          p2p_sha256_lanes(
            bytes.assumingMemoryBound(to: UInt8.self).baseAddress, lengths.baseAddress, lengths.count,
            digests.baseAddress)
        }
      }
    }
    return lengths.indices.map { Digest(digests.span.bytes, at: $0 * Digest.byteCount) }
  }
}

/// SHA-256 of bytes that come in pieces. It is a value: a copy is independent.
struct StreamingSHA256: Sendable {
  private var hash = SHA256()

  mutating func update(_ bytes: RawSpan) {
    bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
  }

  /// Returns the hash of all bytes so far.
  func digest() -> Digest { Digest(hash.finalize()) }
}
