// Sets how the C library's heap treats large buffers.
import CLinux

public enum Heap {
  /// The size in bytes from which a buffer gets its own mapping.
  static let largeByteCount: Int32 = 128 << 10

  /// Makes every buffer of 128 KiB and more return to the system when it is freed. By default the first such buffer
  /// that is freed raises this limit to its own size. Then the buffers of threads that have hashed a folder stay in the
  /// heaps of these threads. For programs that serve: they allocate large buffers rarely, while a connection that
  /// fetches allocates them again and again. The corresponding C function is `mallopt(M_MMAP_THRESHOLD)`. Call it
  /// before other threads run.
  public static func returnLargeBuffers() { _ = mallopt(Int32(P2P_MALLOC_MMAP_THRESHOLD), largeByteCount) }
}
