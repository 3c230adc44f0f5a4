// Reads big-endian fields from bytes that came from a peer or a disk. A missing field is nil and never a trap.
import Content

/// A cursor over untrusted bytes. Every read checks how many bytes are left before it computes with a length.
package struct ByteReader {
  private let bytes: [UInt8]
  private var offset = 0

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Bytes that are not read yet.
  package var bytesLeft: Int { bytes.count - offset }
  /// Whether all bytes are read. After the last field of a body this must be true.
  package var isAtEnd: Bool { bytesLeft == 0 }

  package mutating func u8() -> UInt8? { integer() }
  package mutating func u16() -> UInt16? { integer() }
  package mutating func u32() -> UInt32? { integer() }
  package mutating func u64() -> UInt64? { integer() }

  /// Returns the next `count` bytes. Nil if fewer are left.
  package mutating func take(_ count: Int) -> [UInt8]? {
    guard count >= 0, count <= bytesLeft else { return nil }
    defer { offset += count }
    return Array(bytes[offset..<offset + count])
  }

  package mutating func digest() -> Digest? {
    guard bytesLeft >= Digest.byteCount else { return nil }
    defer { offset += Digest.byteCount }
    return Digest(bytes.span.bytes, at: offset)
  }

  /// Returns the next `count` digests. Nil if fewer are left, which is checked before memory is allocated.
  package mutating func digests(_ count: Int) -> [Digest]? {
    guard count >= 0, count <= bytesLeft / Digest.byteCount else { return nil }
    var out: [Digest] = []
    out.reserveCapacity(count)
    for _ in 0..<count {
      guard let digest = digest() else { return nil }
      out.append(digest)
    }
    return out
  }

  private mutating func integer<Value: FixedWidthInteger & UnsignedInteger>() -> Value? {
    let width = Value.bitWidth / 8
    guard bytesLeft >= width else { return nil }
    var value: Value = 0
    for i in offset..<offset + width { value = value << 8 | Value(truncatingIfNeeded: bytes[i]) }
    offset += width
    return value
  }
}
