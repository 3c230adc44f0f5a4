// Finds paths in a listing, which is in their order.

/// What a listing says about a path.
public enum ListedPath: Hashable, Sendable {
  /// An entry has the path: its number.
  case entry(Int)
  /// Entries lie below it: the number of the first one.
  case folder(first: Int)
  /// Nothing. The path may lie below an entry that is no folder.
  case nothing
}

extension FolderListing {
  /// What the listing says about a path. Takes the logarithm of the number of entries.
  public func lookUp(_ path: FolderPath) -> ListedPath {
    let place = firstEntry(notBefore: path)
    guard place < count else { return .nothing }
    let found = self.path(of: place)
    if found == path { return .entry(place) }
    return found.isBelow(path) ? .folder(first: place) : .nothing
  }

  /// The first entry whose path does not come before another path; `count` if all do.
  private func firstEntry(notBefore path: FolderPath) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = low + (high - low) / 2
      if self.path(of: middle) < path { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
