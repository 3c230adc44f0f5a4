// A set of chunk numbers. Summary levels above the bits let a search find the first member by reading a few words.

/// A subset of 0..<capacity. A bit of a summary is set exactly if the word below it is not zero.
struct ChunkSet: Sendable {
  let capacity: Int
  private(set) var count = 0
  private var words: [UInt64]
  /// Where each level starts in `words`; level 0 holds the members, the last level is one word. Five levels are enough
  /// for 2^30 members.
  private let starts: [5 of Int]
  private let levelCount: Int

  /// - `capacity`: at most 2^30.
  init(capacity: Int) {
    precondition(capacity >= 0 && capacity <= 1 << 30, "a set has five levels")
    var starts: [5 of Int] = [0, 0, 0, 0, 0]
    var levelCount = 0
    var total = 0
    var width = capacity
    repeat {
      width = (width + 63) / 64
      starts[levelCount] = total
      levelCount += 1
      total += width
    } while width > 1
    self.capacity = capacity
    self.starts = starts
    self.levelCount = levelCount
    words = Array(repeating: 0, count: total)
  }

  /// Makes the set of all numbers in 0..<capacity.
  static func full(capacity: Int) -> ChunkSet {
    var set = ChunkSet(capacity: capacity)
    var width = capacity
    for level in 0..<set.levelCount where width > 0 {
      let start = set.starts[level]
      for word in 0..<(width + 63) / 64 {
        let bits = min(width - 64 * word, 64)
        set.words[start + word] = bits == 64 ? .max : (1 << UInt64(bits)) - 1
      }
      width = (width + 63) / 64
    }
    set.count = capacity
    return set
  }

  func contains(_ member: Int) -> Bool {
    member >= 0 && member < capacity && words[member >> 6] & (1 << UInt64(member & 63)) != 0
  }

  /// Adds a member below the capacity. False if it was in the set.
  @discardableResult
  mutating func insert(_ member: Int) -> Bool {
    precondition(member >= 0 && member < capacity, "no such member")
    if contains(member) { return false }
    _ = insert(1 << UInt64(member & 63), intoWord: member >> 6)
    return true
  }

  /// Removes a member. False if it was not in the set.
  @discardableResult
  mutating func remove(_ member: Int) -> Bool {
    guard contains(member) else { return false }
    _ = remove(1 << UInt64(member & 63), fromWord: member >> 6)
    return true
  }

  // MARK: By word

  /// The number of words on level 0. Word i holds the members from 64 × i on, bit 0 the first.
  var wordCount: Int { (capacity + 63) / 64 }

  func word(_ index: Int) -> UInt64 { words[index] }

  /// Returns the bits of a word that stand for numbers below the capacity.
  func bits(ofWord index: Int) -> UInt64 {
    let count = capacity - 64 * index
    return count >= 64 ? .max : (1 << UInt64(count)) - 1
  }

  /// Adds members of one word, all below the capacity. Returns those that were not in the set.
  mutating func insert(_ members: UInt64, intoWord index: Int) -> UInt64 {
    precondition(members & ~bits(ofWord: index) == 0, "no such member")
    let before = words[index]
    let new = members & ~before
    if new == 0 { return 0 }
    words[index] = before | new
    count += new.nonzeroBitCount
    if before != 0 { return new }
    var child = index
    for level in 1..<max(levelCount, 1) {
      let place = starts[level] + child >> 6
      let summary = words[place]
      words[place] = summary | 1 << UInt64(child & 63)
      if summary != 0 { break }
      child >>= 6
    }
    return new
  }

  /// Removes members of one word. Returns those that were in the set.
  mutating func remove(_ members: UInt64, fromWord index: Int) -> UInt64 {
    let removed = words[index] & members
    if removed == 0 { return 0 }
    words[index] &= ~removed
    count -= removed.nonzeroBitCount
    var child = index
    var isEmpty = words[index] == 0
    for level in 1..<max(levelCount, 1) where isEmpty {
      let place = starts[level] + child >> 6
      words[place] &= ~(1 << UInt64(child & 63))
      isEmpty = words[place] == 0
      child >>= 6
    }
    return removed
  }

  /// Returns the lowest member from `start` on.
  func first(from start: Int = 0) -> Int? {
    var wordsRead = 0
    return first(in: nil, from: start, wordsRead: &wordsRead)
  }

  /// Returns the lowest member from `start` on that is also in the other set (nil: any member). Adds the words that it
  /// read to `wordsRead`.
  /// - `filter`: allows only some members; nil allows all.
  func first(
    in other: ChunkSet?, from start: Int = 0, _ filter: ZoneFilter? = nil, wordsRead: inout Int
  ) -> Int? {
    guard count > 0, start < capacity else { return nil }
    precondition((other?.capacity ?? capacity) == capacity, "sets of one file have one capacity")
    return search(level: levelCount - 1, word: 0, other: other, from: max(start, 0), filter, wordsRead: &wordsRead)
  }

  private func search(
    level: Int, word index: Int, other: ChunkSet?, from start: Int, _ filter: ZoneFilter?, wordsRead: inout Int
  ) -> Int? {
    wordsRead += 1
    var word = words[starts[level] + index]
    if let other { word &= other.words[starts[level] + index] }
    if level == 0, word != 0, let filter { word &= filter.word(index) }
    let firstBit = start >> (6 * level)
    if firstBit >> 6 > index { return nil }
    if firstBit >> 6 == index { word &= UInt64.max << UInt64(firstBit & 63) }
    while word != 0 {
      let child = index << 6 + word.trailingZeroBitCount
      word &= word - 1
      if level == 0 { return child }
      if let found = search(level: level - 1, word: child, other: other, from: start, filter, wordsRead: &wordsRead) {
        return found
      }
    }
    return nil
  }
}
