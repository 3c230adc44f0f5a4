// Compares secrets in a time that does not reveal how many bytes are equal.
import CSodium

/// Whether two spans have the same bytes. The time depends only on their lengths.
public func constantTimeEqual(_ a: RawSpan, _ b: RawSpan) -> Bool {
  guard a.byteCount == b.byteCount else { return false }
  if a.isEmpty { return true }
  Library.start()
  return a.withUnsafeBytes { a in b.withUnsafeBytes { b in sodium_memcmp(a.baseAddress!, b.baseAddress!, a.count) == 0 }
  }
}
