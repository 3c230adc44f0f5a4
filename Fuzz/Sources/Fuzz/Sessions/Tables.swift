// How much a value holds: the entries of all collections in it, also of those that are private.

import Content

@testable import Transfer

/// A table that forgets what it has no room for.
private protocol LimitedTable {
  var count: Int { get }
  var capacity: Int { get }
}

extension RecentTable: LimitedTable {}

enum Tables {
  /// Collections with fewer entries do not count: each peer has some of a fixed size.
  private static let entriesMin = 8

  /// The entries of all tables in a value without a limit of their own. A table with a limit must keep it. The layout of
  /// a content counts nothing: peers cannot change it.
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

  /// A table holds its values, and its keys in the order of adding: keys that were removed may still stand there.
  private static func check(_ table: any LimitedTable, _ mirror: Mirror) {
    let entries = entries(mirror, depth: 0, least: 0)
    require(table.count <= table.capacity && entries <= 5 * table.capacity, "a table keeps its limit: \(entries)")
  }

  /// What holds no collection; most of what there is.
  private static func isLeaf(_ value: Any) -> Bool { value is any BinaryInteger || value is Bool || value is Double }
}
