// Deadlines by key: a heap whose first entry is always one that still counts.

/// One deadline for each key. The earliest comes first; of equal ones the one that was set first.
public struct DeadlineQueue<Key: Hashable & Sendable>: Sendable {
  private struct Entry: Sendable {
    let at: Instant
    let order: UInt64
    let key: Key

    func precedes(_ other: Entry) -> Bool { at != other.at ? at < other.at : order < other.order }
  }

  private var heap: [Entry] = []
  private var current: [Key: (at: Instant, order: UInt64)] = [:]
  private var nextOrder: UInt64 = 0

  public init() {}

  /// The earliest deadline.
  public var next: Instant? { heap.first?.at }
  var count: Int { current.count }
  subscript(key: Key) -> Instant? { current[key]?.at }

  /// Sets or moves the deadline of a key.
  public mutating func set(_ key: Key, at instant: Instant) {
    if let known = current[key], known.at == instant { return }
    current[key] = (instant, nextOrder)
    heap.append(Entry(at: instant, order: nextOrder, key: key))
    nextOrder += 1
    siftUp(heap.count - 1)
    settle()
  }

  /// Forgets the deadline of a key, if it has one.
  public mutating func cancel(_ key: Key) {
    guard current.removeValue(forKey: key) != nil else { return }
    settle()
  }

  /// Takes the earliest key whose deadline has come.
  public mutating func popDue(at now: Instant) -> Key? {
    guard let first = heap.first, first.at <= now else { return nil }
    current[first.key] = nil
    removeFirst()
    settle()
    return first.key
  }

  /// Restores the invariant: drops what was cancelled or moved from the top, and all of it once it is most of the heap.
  private mutating func settle() {
    if heap.count > 2 * current.count + 64 {
      heap = heap.filter(counts).sorted { $0.precedes($1) }
    }
    while let first = heap.first, !counts(first) { removeFirst() }
  }

  private func counts(_ entry: Entry) -> Bool { current[entry.key]?.order == entry.order }

  private mutating func removeFirst() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].precedes(heap[least]) {
        least = child
      }
      if least == parent { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }

  private mutating func siftUp(_ start: Int) {
    var child = start
    while child > 0, heap[child].precedes(heap[(child - 1) / 2]) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }
}
