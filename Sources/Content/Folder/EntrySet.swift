// A set of entries of a listing, one bit for each entry.

/// Numbers of entries of one listing. Takes 1/8 byte for each entry of the listing.
public struct EntrySet: Hashable, Sendable {
  private var words: [UInt64]

  /// Makes the empty set, or the set of all entries, for a listing with `entryCount` entries.
  public init(entryCount: Int, isFull: Bool = false) {
    words = [UInt64](repeating: isFull ? .max : 0, count: (entryCount + 63) / 64)
    // Bits beyond the last entry stay 0.
    if isFull, entryCount % 64 != 0 { words[words.count - 1] = (1 << UInt64(entryCount % 64)) - 1 }
  }

  public func contains(_ entry: Int) -> Bool { words[entry / 64] & 1 << UInt64(entry % 64) != 0 }

  public mutating func insert(_ entry: Int) { words[entry / 64] |= 1 << UInt64(entry % 64) }

  public mutating func remove(_ entry: Int) { words[entry / 64] &= ~(1 << UInt64(entry % 64)) }

  /// Adds the entries of another set for the same listing.
  public mutating func formUnion(_ other: EntrySet) {
    for i in words.indices { words[i] |= other.words[i] }
  }

  /// Removes the entries of another set for the same listing.
  public mutating func subtract(_ other: EntrySet) {
    for i in words.indices { words[i] &= ~other.words[i] }
  }

  public var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

  public var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

  /// The entries in ascending order.
  public var entries: [Int] {
    var entries: [Int] = []
    entries.reserveCapacity(count)
    for (place, word) in words.enumerated() {
      var left = word
      while left != 0 {
        entries.append(place * 64 + left.trailingZeroBitCount)
        left &= left - 1
      }
    }
    return entries
  }
}
