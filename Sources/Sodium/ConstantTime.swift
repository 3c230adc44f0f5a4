// Comparison of proofs in a time that does not tell how much of them is right.
import CSodium

/// Whether two spans hold the same bytes. Only their lengths influence the time that it takes.
public func constantTimeEqual(_ a: RawSpan, _ b: RawSpan) -> Bool {
  guard a.byteCount == b.byteCount else { return false }
  if a.isEmpty { return true }
  Library.start()
  return a.withUnsafeBytes { a in b.withUnsafeBytes { b in sodium_memcmp(a.baseAddress!, b.baseAddress!, a.count) == 0 }
  }
}
