// Bytes on the heap with one owner. They are wiped before they are freed, and never move, so that no copy is left
// behind.
import CSodium

/// Memory for secrets: aligned to 16 bytes, zero at first, wiped and freed at the end of this value.
///
/// It does not use `sodium_malloc`, whose guard pages cost too much for the keys of every connection.
///
/// Safe to share between threads: the pointer never changes and the memory has one owner. The owning types write to it
/// only in `init` or in `mutating` methods, to which Swift gives exclusive access.
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

  /// Overwrites the bytes with zeros. The compiler cannot remove the call.
  func wipe() { sodium_memzero(start, byteCount) }

  /// The start of the memory as bytes, for a call to libsodium.
  var bytes: UnsafeMutablePointer<UInt8> { start.assumingMemoryBound(to: UInt8.self) }
}
