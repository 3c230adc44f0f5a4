// How the C library's heap treats large buffers.
import CLinux

public enum Heap {
  /// Bytes from which a buffer has a mapping of its own.
  static let largeByteCount: Int32 = 128 << 10

  /// Lets every buffer of 128 KiB and more go back to the system when it is freed. By default the first such buffer that is
  /// freed raises this limit to its own size: then the buffers of threads that have hashed a folder stay in the heaps of
  /// these threads. For a program that serves. It allocates large buffers rarely, while a connection that fetches allocates
  /// one again and again. The corresponding C function is `mallopt(M_MMAP_THRESHOLD)`. Called before other threads run.
  public static func returnLargeBuffers() { _ = mallopt(Int32(P2P_MALLOC_MMAP_THRESHOLD), largeByteCount) }
}
