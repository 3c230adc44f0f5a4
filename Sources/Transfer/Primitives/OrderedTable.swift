// Values by key, in the order in which their keys were added.

/// A dictionary that keeps its order. A look-up costs as much as in a dictionary. A removal scans all keys.
struct OrderedTable<Key: Hashable & Sendable, Value: Sendable>: Sequence, Sendable {
  private var valueOf: [Key: Value] = [:]
  /// The keys in the order in which they were added.
  private(set) var keys: [Key] = []

  var count: Int { keys.count }
  var isEmpty: Bool { keys.isEmpty }
  /// In no order.
  var values: Dictionary<Key, Value>.Values { valueOf.values }

  /// Nil if the key is not in the table. A new key comes last. Setting nil removes the key.
  subscript(key: Key) -> Value? {
    get { valueOf[key] }
    set {
      guard let newValue else { return _ = remove(key) }
      if valueOf.updateValue(newValue, forKey: key) == nil { keys.append(key) }
    }
  }

  /// The value of a key that is known to be in the table. It is changed in place.
  subscript(existing key: Key) -> Value {
    get { valueOf[existing: key] }
    _modify { yield &valueOf[existing: key] }
  }

  @discardableResult mutating func remove(_ key: Key) -> Value? {
    guard let value = valueOf.removeValue(forKey: key) else { return nil }
    keys.removeAll { $0 == key }
    return value
  }

  func makeIterator() -> LazyMapSequence<[Key], (key: Key, value: Value)>.Iterator {
    keys.lazy.map { [valueOf] in (key: $0, value: valueOf[existing: $0]) }.makeIterator()
  }
}
