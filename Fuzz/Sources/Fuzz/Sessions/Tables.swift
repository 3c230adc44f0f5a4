// The size of a value: the entries of all collections in it, including private ones.

import Content

@testable import Transfer

/// A table that forgets old entries when it is full.
private protocol LimitedTable {
  var count: Int { get }
  var capacity: Int { get }
}

extension RecentTable: LimitedTable {}

enum Tables {
  /// Smaller collections do not count: each peer has some of a fixed size.
  private static let entriesMin = 8

  /// Counts the entries of all tables in a value that have no limit of their own. A table with a limit must keep it.
  /// The layout of a content does not count, because peers cannot change it.
  static func entries(of value: Any) -> Int { entries(Mirror(reflecting: value), depth: 0, least: entriesMin) }

  private static func entries(_ mirror: Mirror, depth: Int, least: Int) -> Int {
    guard depth < 8 else { return 0 }
    var count = 0
    switch mirror.displayStyle {
    case .collection, .set, .dictionary: if mirror.children.count >= least { count = mirror.children.count }
    default: break
    }
    for child in mirror.children where !isLeaf(child.value) {
      let inner = Mirror(reflecting: child.value)
      if child.value is FolderLayout || child.value is ChunkLayout || child.value is PageLayout { continue }
      if inner.displayStyle == .struct, let table = child.value as? any LimitedTable {
        check(table, inner)
      } else {
        count += entries(inner, depth: depth + 1, least: least)
      }
    }
    return count
  }

  /// Checks that a table keeps its limit. It holds values, and keys in order of insertion, also removed ones.
  private static func check(_ table: any LimitedTable, _ mirror: Mirror) {
    let entries = entries(mirror, depth: 0, least: 0)
    require(table.count <= table.capacity && entries <= 5 * table.capacity, "a table keeps its limit: \(entries)")
  }

  /// Whether a value contains no collection, like most values.
  private static func isLeaf(_ value: Any) -> Bool { value is any BinaryInteger || value is Bool || value is Double }
}
