// Finds paths in a listing by binary search.

/// What a listing says about a path.
public enum ListedPath: Hashable, Sendable {
  /// An entry has this path. The value is its number.
  case entry(Int)
  /// Entries lie below this path. The value is the number of the first one.
  case folder(first: Int)
  /// The listing has neither. The path may lie below an entry that is not a folder.
  case nothing
}

extension FolderListing {
  /// Returns what the listing says about a path. Takes logarithmic time.
  public func lookUp(_ path: FolderPath) -> ListedPath {
    let place = firstEntry(notBefore: path)
    guard place < count else { return .nothing }
    let found = self.path(of: place)
    if found == path { return .entry(place) }
    return found.isBelow(path) ? .folder(first: place) : .nothing
  }

  /// Returns the first entry whose path does not come before the given one; `count` if there is none.
  private func firstEntry(notBefore path: FolderPath) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = low + (high - low) / 2
      if self.path(of: middle) < path { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
