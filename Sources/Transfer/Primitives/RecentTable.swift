// A table of bounded size, for entries that strangers cause. Once it is full it forgets the entry that was added first.

/// Values by key, at most `capacity` of them.
struct RecentTable<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  let capacity: Int
  private var values: [Key: Value] = [:]
  /// Keys in the order of adding, from `head` on; keys that were removed since may still stand here.
  private var order: [Key] = []
  private var head = 0

  init(capacity: Int) {
    precondition(capacity > 0, "a table holds something")
    self.capacity = capacity
  }

  var count: Int { values.count }
  var isEmpty: Bool { values.isEmpty }

  /// Setting nil removes the key.
  subscript(key: Key) -> Value? {
    get { values[key] }
    set {
      guard let newValue else { return _ = values.removeValue(forKey: key) }
      if values.updateValue(newValue, forKey: key) == nil { added(key) }
    }
  }

  private mutating func added(_ key: Key) {
    order.append(key)
    while values.count > capacity {
      values[order[head]] = nil
      head += 1
    }
    guard order.count > 4 * capacity else { return }
    var known: Set<Key> = []
    order = order[head...].filter { values[$0] != nil && known.insert($0).inserted }
    head = 0
  }
}
