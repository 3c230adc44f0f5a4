// Deadlines by key: a heap whose first entry is never a cancelled or moved deadline.

/// One deadline for each key. The earliest comes first; of equal deadlines the one that was set first.
public struct DeadlineQueue<Key: Hashable & Sendable>: Sendable {
  private var heap = TimeHeap<Key>()
  private var current: [Key: (at: Instant, order: UInt64)] = [:]

  public init() {}

  /// The earliest deadline.
  public var next: Instant? { heap.first?.at }
  /// The key of the earliest deadline.
  var nextKey: Key? { heap.first?.value }
  var count: Int { current.count }
  subscript(key: Key) -> Instant? { current[key]?.at }

  /// Sets or moves the deadline of a key.
  public mutating func set(_ key: Key, at instant: Instant) {
    if let known = current[key], known.at == instant { return }
    current[key] = (instant, heap.insert(key, at: instant))
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
    current[first.value] = nil
    heap.removeFirst()
    settle()
    return first.value
  }

  /// Restores the invariant: removes cancelled and moved deadlines from the top, and all of them once they are most of
  /// the heap.
  private mutating func settle() {
    if heap.count > 2 * current.count + 64 {
      heap.filter { current[$0.value]?.order == $0.order }
    }
    while let first = heap.first, current[first.value]?.order != first.order { heap.removeFirst() }
  }
}
