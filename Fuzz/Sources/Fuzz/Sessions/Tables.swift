// How much a value holds: the entries of all collections in it, also of those that are private.

enum Tables {
  static func entries(of value: Any) -> Int { entries(Mirror(reflecting: value), depth: 0) }

  private static func entries(_ mirror: Mirror, depth: Int) -> Int {
    guard depth < 8 else { return 0 }
    var count = 0
    switch mirror.displayStyle {
    case .collection, .set, .dictionary: count = mirror.children.count
    default: break
    }
    for child in mirror.children where !isLeaf(child.value) {
      count += entries(Mirror(reflecting: child.value), depth: depth + 1)
    }
    return count
  }

  /// What holds no collection; most of what there is.
  private static func isLeaf(_ value: Any) -> Bool { value is any BinaryInteger || value is Bool || value is Double }
}
