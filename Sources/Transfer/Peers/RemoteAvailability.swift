// The chunks and leaves that one peer says it has.
import Content
import Wire

/// The whole chunks of a peer, and the leaves of its other chunks until they are whole.
struct RemoteAvailability: Sendable {
  /// The effect of an announcement: `first` if the peer had nothing of the chunk before.
  enum Gain { case nothing, more, first }

  /// How many chunks may be known in part. Parts of further chunks are dropped, so that announcements cannot fill the
  /// memory.
  static let partialChunksMax = 4096

  let isComplete: Bool
  private(set) var chunks: ChunkSet
  private(set) var partial: [ChunkIndex: UInt64] = [:]

  init(isComplete: Bool, layout: ChunkLayout) {
    self.isComplete = isComplete
    chunks = ChunkSet(capacity: isComplete ? 0 : layout.chunkCount)
  }

  func has(_ chunk: ChunkIndex) -> Bool { isComplete || chunks.contains(Int(chunk.rawValue)) }

  /// Returns the leaves of a chunk that the peer has, bit 0 the first. For a whole chunk all 64 bits are set.
  func leaves(of chunk: ChunkIndex) -> UInt64 { has(chunk) ? .max : partial[chunk] ?? 0 }

  /// Returns the lowest chunk from `start` on that the peer has whole or in part.
  func first(from start: Int, layout: ChunkLayout) -> Int? {
    if isComplete { return start < layout.chunkCount ? start : nil }
    let inPart = partial.keys.lazy.map { Int($0.rawValue) }.filter { $0 >= start }.min()
    return [chunks.first(from: start), inPart].compactMap { $0 }.min()
  }

  /// Adds a run. A chunk beyond the end of the file is ignored.
  mutating func add(_ run: LeafRun, layout: ChunkLayout) -> Gain {
    guard !isComplete, layout.contains(run.chunk), !has(run.chunk) else { return .nothing }
    let whole = layout.leaves(of: run.chunk).mask
    let before = partial[run.chunk]
    let mask = (before ?? 0) | (run.leaves.mask & whole)
    if mask == before { return .nothing }
    if mask == whole {
      partial[run.chunk] = nil
      chunks.insert(Int(run.chunk.rawValue))
    } else if before != nil || partial.count < RemoteAvailability.partialChunksMax {
      partial[run.chunk] = mask
    } else {
      return .nothing
    }
    return before == nil ? .first : .more
  }

  /// The effect of a bitmap on 64 chunks. `whole`: chunks that became whole. `first`: those of them of which the peer
  /// had nothing before.
  struct WordGain: Hashable, Sendable {
    let word: Int
    let whole: UInt64
    let first: UInt64
  }

  /// Adds a bitmap, 64 chunks at a time. If all 64 are known already, this costs one word. Bits beyond the file are
  /// ignored.
  mutating func add(_ bitmap: Bitmap) -> [WordGain] {
    let end = min(Int(bitmap.firstChunk.rawValue) + bitmap.count, chunks.capacity)
    let start = Int(bitmap.firstChunk.rawValue) / 64
    guard !isComplete, start * 64 < end else { return [] }
    var gains: [WordGain] = []
    for word in start..<(end + 63) / 64 {
      let told = bitmap.mask(ofWord: word) & chunks.bits(ofWord: word)
      if told & ~chunks.word(word) == 0 { continue }
      let whole = chunks.insert(told, intoWord: word)
      gains.append(WordGain(word: word, whole: whole, first: whole & ~forgetParts(of: whole, inWord: word)))
    }
    return gains
  }

  /// Forgets the parts of chunks that the peer now has whole. Returns the chunks of which it had parts.
  private mutating func forgetParts(of members: UInt64, inWord word: Int) -> UInt64 {
    var parts: UInt64 = 0
    var rest = partial.isEmpty ? 0 : members
    while rest != 0 {
      let bit = rest.trailingZeroBitCount
      rest &= rest - 1
      if partial.removeValue(forKey: ChunkIndex(UInt32(64 * word + bit))) != nil { parts |= 1 << UInt64(bit) }
    }
    return parts
  }
}
