// A byte queue for a socket: bytes enter at the tail and leave at the head, and are not moved for every record.
import Glibc

/// A queue of bytes in one allocation. It allocates at the first byte, and can free the memory when it is empty.
public struct ByteQueue: ~Copyable {
  private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private var head = 0
  private var tail = 0

  public init() {}

  deinit { memory.deallocate() }

  /// The number of bytes in the queue.
  public var count: Int { tail - head }
  public var isEmpty: Bool { head == tail }
  /// The size of the allocation in bytes.
  public var capacity: Int { memory.count }
  /// The number of bytes that `fill` can take now.
  public var room: Int { memory.count - tail }

  /// Makes room for `bytes` more bytes at the tail. Moves or grows the memory as needed, to at least `least` bytes.
  public mutating func makeRoom(for bytes: Int, least: Int = 0) {
    precondition(bytes >= 0)
    if head == tail { (head, tail) = (0, 0) }
    if room >= bytes && capacity >= least { return }
    let waiting = count
    // Moves at most half of the memory, and grows it by half. Otherwise every appended byte could move all others.
    if waiting <= capacity / 2 && capacity - waiting >= bytes && capacity >= least {
      memmove(memory.baseAddress!, memory.baseAddress! + head, waiting)
    } else {
      let size = max(waiting + bytes, least, waiting > capacity / 2 ? capacity + capacity / 2 : capacity)
      let grown = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
      if waiting > 0 { memcpy(grown.baseAddress!, memory.baseAddress! + head, waiting) }
      memory.deallocate()
      memory = grown
    }
    (head, tail) = (0, waiting)
  }

  /// Calls `body` with the free room, `limit` bytes at most. `body` returns how many bytes it filled, from the start.
  public mutating func fill<E: Error>(
    upTo limit: Int = .max, _ body: (inout MutableRawSpan) throws(E) -> Int
  ) throws(E) {
    let end = tail + min(limit, room)
    var span = MutableRawSpan(_unsafeBytes: UnsafeMutableRawBufferPointer(rebasing: memory[tail..<end]))
    let count = try body(&span)
    precondition(count >= 0 && count <= end - tail)
    tail += count
  }

  /// Calls `body` with `count` bytes that start `offset` bytes after the head. `body` may change them in place.
  public mutating func edit<T, E: Error>(
    at offset: Int, count: Int, _ body: (inout MutableRawSpan) throws(E) -> T
  ) throws(E) -> T {
    precondition(offset >= 0 && count >= 0 && offset + count <= self.count)
    let start = head + offset
    var span = MutableRawSpan(_unsafeBytes: UnsafeMutableRawBufferPointer(rebasing: memory[start..<start + count]))
    return try body(&span)
  }

  /// Calls `body` with `count` bytes that start `offset` bytes after the head.
  public func read<T, E: Error>(at offset: Int, count: Int, _ body: (RawSpan) throws(E) -> T) throws(E) -> T {
    precondition(offset >= 0 && count >= 0 && offset + count <= self.count)
    let start = head + offset
    return try body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: memory[start..<start + count])))
  }

  /// The byte that is `offset` bytes after the head.
  public subscript(offset: Int) -> UInt8 {
    precondition(offset >= 0 && offset < count)
    return memory[head + offset]
  }

  /// Appends bytes at the tail.
  public mutating func append(_ bytes: [UInt8]) {
    guard !bytes.isEmpty else { return }  // without bytes there may be no memory to copy to
    makeRoom(for: bytes.count)
    bytes.withUnsafeBytes { if let base = $0.baseAddress { memcpy(memory.baseAddress! + tail, base, $0.count) } }
    tail += bytes.count
  }

  /// Removes bytes at the head.
  public mutating func drop(_ count: Int) {
    precondition(count >= 0 && count <= self.count)
    head += count
    if head == tail { (head, tail) = (0, 0) }
  }

  /// Frees the memory if the queue is empty.
  public mutating func shrinkIfEmpty() {
    guard isEmpty, !memory.isEmpty else { return }
    memory.deallocate()
    memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    (head, tail) = (0, 0)
  }
}
