// Buffers that carry file bytes from the socket's thread to the thread that verifies and writes them.
import Glibc

/// 64 KiB of memory for the leaves of one DATA frame.
///
/// Sendable although it is mutable: a block has one owner at a time. The thread that fills it hands it over through a
/// queue with a mutex, and does not touch it again.
public final class Block: @unchecked Sendable {
  public static let capacity = 64 << 10

  private let memory: UnsafeMutableRawBufferPointer
  /// The number of filled bytes, counted from the start.
  public private(set) var count = 0

  public init() { memory = .allocate(byteCount: Block.capacity, alignment: 4096) }

  deinit { memory.deallocate() }

  /// Calls `body` with the next `byteCount` bytes, which count as filled afterwards unless it throws.
  public func fill<E: Error>(_ byteCount: Int, _ body: (inout MutableRawSpan) throws(E) -> Void) throws(E) {
    precondition(byteCount >= 0 && byteCount <= Block.capacity - count, "a block is 64 KiB")
    var span = MutableRawSpan(_unsafeBytes: UnsafeMutableRawBufferPointer(rebasing: memory[count..<count + byteCount]))
    try body(&span)
    count += byteCount
  }

  /// Appends a copy of bytes.
  public func append(_ bytes: RawSpan) {
    precondition(bytes.byteCount <= Block.capacity - count, "a block is 64 KiB")
    bytes.withUnsafeBytes { if let base = $0.baseAddress { memcpy(memory.baseAddress! + count, base, $0.count) } }
    count += bytes.byteCount
  }

  /// Calls `body` with a range of filled bytes.
  public func read<T, E: Error>(_ range: Range<Int>, _ body: (RawSpan) throws(E) -> T) throws(E) -> T {
    precondition(range.upperBound <= count, "not filled")
    return try body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: memory[range])))
  }

  public func empty() { count = 0 }
}

extension RawSpan {
  /// A copy of the bytes.
  public var copied: [UInt8] {
    [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      withUnsafeBytes { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0) }
      count = byteCount
    }
  }
}
