// Finds rows by a hash, in about six bytes a row.

/// A hash table of row numbers with linear probing. It stores no hashes: the caller says which row fits.
struct RowIndex {
  private static let empty = UInt32.max

  /// Their number is a power of two.
  private var slots: [UInt32] = []
  private var count = 0

  /// Returns the first row at this hash's slot, or after it, that fits.
  func first(_ hash: Int, where fits: (UInt32) -> Bool) -> UInt32? {
    if slots.isEmpty { return nil }
    var slot = hash & (slots.count - 1)
    while slots[slot] != RowIndex.empty {
      if fits(slots[slot]) { return slots[slot] }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  /// - `hashOf`: returns the hash of any row in the table.
  mutating func insert(_ row: UInt32, _ hash: Int, hashOf: (UInt32) -> Int) {
    // At most seven of ten slots are taken, so that a search is short.
    if 10 * (count + 1) > 7 * slots.count { grow(hashOf) }
    place(row, hash)
    count += 1
  }

  /// Replaces a row by another one with the same hash.
  mutating func replace(_ row: UInt32, with other: UInt32, _ hash: Int) { slots[slot(of: row, hash)] = other }

  mutating func remove(_ row: UInt32, _ hash: Int, hashOf: (UInt32) -> Int) {
    var hole = slot(of: row, hash)
    var next = (hole + 1) & (slots.count - 1)
    // Moves each row behind the hole into it, unless the row would then stand before the slot of its hash.
    while slots[next] != RowIndex.empty {
      let home = hashOf(slots[next]) & (slots.count - 1)
      if (next - home) & (slots.count - 1) >= (next - hole) & (slots.count - 1) {
        slots[hole] = slots[next]
        hole = next
      }
      next = (next + 1) & (slots.count - 1)
    }
    slots[hole] = RowIndex.empty
    count -= 1
  }

  private func slot(of row: UInt32, _ hash: Int) -> Int {
    var slot = hash & (slots.count - 1)
    while slots[slot] != row {
      precondition(slots[slot] != RowIndex.empty, "the row is in")
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }

  private mutating func grow(_ hashOf: (UInt32) -> Int) {
    let old = slots
    slots = [UInt32](repeating: RowIndex.empty, count: max(16, 2 * old.count))
    for row in old where row != RowIndex.empty { place(row, hashOf(row)) }
  }

  private mutating func place(_ row: UInt32, _ hash: Int) {
    var slot = hash & (slots.count - 1)
    while slots[slot] != RowIndex.empty { slot = (slot + 1) & (slots.count - 1) }
    slots[slot] = row
  }
}
