// Values by their times, the one that is due first in front.

/// A binary heap. Of equal times the value that was added first comes first. Inlinable, because the simulator, in
/// another module, calls it for each event: without inlining, a simulation of a large swarm takes a sixth longer.
public struct TimeHeap<Value: Sendable>: Sendable {
  public struct Entry: Sendable {
    public let at: Instant
    /// Counts the values in the order in which they were added.
    @usableFromInline let order: UInt64
    public let value: Value

    @inlinable init(at: Instant, order: UInt64, value: Value) {
      (self.at, self.order, self.value) = (at, order, value)
    }

    @inlinable func precedes(_ other: Entry) -> Bool { at != other.at ? at < other.at : order < other.order }
  }

  @usableFromInline var entries: [Entry] = []
  @usableFromInline var nextOrder: UInt64 = 0

  @inlinable public init() {}

  var count: Int { entries.count }
  /// The entry that is due first.
  @inlinable public var first: Entry? { entries.first }

  /// Adds a value. Returns its order.
  @inlinable @discardableResult public mutating func insert(_ value: Value, at instant: Instant) -> UInt64 {
    let order = nextOrder
    nextOrder += 1
    entries.append(Entry(at: instant, order: order, value: value))
    siftUp(entries.count - 1)
    return order
  }

  /// Removes the entry that is due first. There must be one.
  @inlinable public mutating func removeFirst() {
    entries.swapAt(0, entries.count - 1)
    entries.removeLast()
    siftDown()
  }

  /// Keeps only some of the entries.
  mutating func filter(_ isKept: (Entry) -> Bool) {
    // A sorted array is a heap.
    entries = entries.filter(isKept).sorted { $0.precedes($1) }
  }

  @inlinable mutating func siftUp(_ start: Int) {
    var child = start
    while child > 0, entries[child].precedes(entries[(child - 1) / 2]) {
      entries.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  @inlinable mutating func siftDown() {
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count {
        if entries[child].precedes(entries[least]) { least = child }
      }
      if least == parent { return }
      entries.swapAt(parent, least)
      parent = least
    }
  }
}
