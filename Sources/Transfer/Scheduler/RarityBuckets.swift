// The choosable chunks by how many peers have them: one set for each level, and one set of all chunks.

/// A member is in exactly one level. A chunk that moves between levels stays choosable.
struct RarityBuckets: Sendable {
  /// Levels are 0...levelMax.
  static let levelMax = 63

  /// Created when first needed.
  private var levels: [ChunkSet?]
  /// All members. Most peers have none of them, so this set is checked first.
  private(set) var all: ChunkSet
  /// A bit for each level that has members.
  private(set) var occupied: UInt64 = 0

  init(capacity: Int) {
    levels = Array(repeating: nil, count: RarityBuckets.levelMax + 1)
    all = ChunkSet(capacity: capacity)
  }

  mutating func insert(_ member: Int, at level: Int) {
    if all.insert(member) { put(1 << UInt64(member & 63), ofWord: member >> 6, at: level) }
  }

  mutating func remove(_ member: Int, at level: Int) {
    if all.remove(member) { _ = take(1 << UInt64(member & 63), ofWord: member >> 6, from: level) }
  }

  /// Moves the members of a word from one level to another.
  mutating func move(_ members: UInt64, ofWord word: Int, from level: Int, to other: Int) {
    guard level != other else { return }
    let moved = take(members, ofWord: word, from: level)
    if moved != 0 { put(moved, ofWord: word, at: other) }
  }

  /// Returns the lowest member of a level from `start` on that is also in the other set (nil: any member).
  func first(
    at level: Int, in other: ChunkSet?, from start: Int, _ filter: ZoneFilter? = nil, wordsRead: inout Int
  ) -> Int? {
    levels[level]?.first(in: other, from: start, filter, wordsRead: &wordsRead)
  }

  private mutating func put(_ members: UInt64, ofWord word: Int, at level: Int) {
    if levels[level]?.insert(members, intoWord: word) == nil {
      var set = ChunkSet(capacity: all.capacity)
      _ = set.insert(members, intoWord: word)
      levels[level] = set
    }
    occupied |= 1 << UInt64(level)
  }

  private mutating func take(_ members: UInt64, ofWord word: Int, from level: Int) -> UInt64 {
    guard let taken = levels[level]?.remove(members, fromWord: word), taken != 0 else { return 0 }
    if levels[level]?.count == 0 { occupied &= ~(1 << UInt64(level)) }
    return taken
  }
}
