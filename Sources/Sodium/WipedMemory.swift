// Bytes on the heap with one owner, wiped before they are given back; they stay in one place, so no copy is left behind.
import CSodium

/// Memory for secrets: aligned to 16 bytes, zero at first, wiped and freed with its owner.
///
/// Not `sodium_malloc`: its guard pages cost too much for the keys of every connection.
///
/// Safe to share, since the pointer never changes, the memory has one owner, and the types that own it write to it only
/// while they are made or from `mutating` methods, which Swift keeps exclusive.
struct WipedMemory: ~Copyable, @unchecked Sendable {
  let start: UnsafeMutableRawPointer
  let byteCount: Int

  init(byteCount: Int) {
    Library.start()
    start = .allocate(byteCount: byteCount, alignment: 16)
    self.byteCount = byteCount
    start.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
  }

  deinit {
    wipe()
    start.deallocate()
  }

  /// Overwrites the bytes with zeros, in a way that a compiler cannot leave out.
  func wipe() { sodium_memzero(start, byteCount) }

  /// The memory as bytes, for a call into libsodium.
  var bytes: UnsafeMutablePointer<UInt8> { start.assumingMemoryBound(to: UInt8.self) }
}
