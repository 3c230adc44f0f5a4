// A set of chunk numbers with summaries above the bits, so that the first member is found in a few words.

/// Members of 0..<capacity. A bit of a summary is set exactly where the word below it is not zero.
struct ChunkSet: Sendable {
  let capacity: Int
  private(set) var count = 0
  private var words: [UInt64]
  /// Where each level starts in `words`; level 0 holds the members, the last level is one word.
  private let starts: [Int]

  init(capacity: Int) {
    var starts: [Int] = []
    var total = 0
    var width = capacity
    repeat {
      width = (width + 63) / 64
      starts.append(total)
      total += width
    } while width > 1
    self.capacity = capacity
    self.starts = starts
    words = Array(repeating: 0, count: total)
  }

  /// All of 0..<capacity.
  static func full(capacity: Int) -> ChunkSet {
    var set = ChunkSet(capacity: capacity)
    var width = capacity
    for start in set.starts where width > 0 {
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

  /// Adds a member below the capacity; false where it was there.
  @discardableResult
  mutating func insert(_ member: Int) -> Bool {
    precondition(member >= 0 && member < capacity, "no such member")
    if contains(member) { return false }
    var index = member
    for start in starts {
      let before = words[start + index >> 6]
      words[start + index >> 6] = before | 1 << UInt64(index & 63)
      if before != 0 { break }
      index >>= 6
    }
    count += 1
    return true
  }

  /// Removes a member; false where it was not there.
  @discardableResult
  mutating func remove(_ member: Int) -> Bool {
    guard contains(member) else { return false }
    var index = member
    for start in starts {
      let word = words[start + index >> 6] & ~(1 << UInt64(index & 63))
      words[start + index >> 6] = word
      if word != 0 { break }
      index >>= 6
    }
    count -= 1
    return true
  }

  /// The least member from `start` on.
  func first(from start: Int = 0) -> Int? {
    var wordsRead = 0
    return first(in: nil, from: start, wordsRead: &wordsRead)
  }

  /// The least member from `start` on that is also in the other set (nil: in any), and what finding it cost.
  func first(in other: ChunkSet?, from start: Int = 0, wordsRead: inout Int) -> Int? {
    guard count > 0, start < capacity else { return nil }
    precondition(other == nil || other!.capacity == capacity, "sets of one file have one capacity")
    return search(level: starts.count - 1, word: 0, other: other, from: max(start, 0), wordsRead: &wordsRead)
  }

  func forEach(_ body: (Int) -> Void) {
    var next = first(from: 0)
    while let member = next {
      body(member)
      next = first(from: member + 1)
    }
  }

  private func search(level: Int, word index: Int, other: ChunkSet?, from start: Int, wordsRead: inout Int) -> Int? {
    wordsRead += 1
    var word = words[starts[level] + index]
    if let other { word &= other.words[starts[level] + index] }
    let firstBit = start >> (6 * level)
    if firstBit >> 6 > index { return nil }
    if firstBit >> 6 == index { word &= UInt64.max << UInt64(firstBit & 63) }
    while word != 0 {
      let child = index << 6 + word.trailingZeroBitCount
      word &= word - 1
      if level == 0 { return child }
      if let found = search(level: level - 1, word: child, other: other, from: start, wordsRead: &wordsRead) {
        return found
      }
    }
    return nil
  }
}
