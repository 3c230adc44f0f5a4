// What one peer says it has of the file.
import Content
import Wire

/// The whole chunks that a peer has, and the leaves of others until they are whole.
struct Holdings: Sendable {
  /// What news of a chunk changed.
  enum Gain { case nothing, more, first }

  /// Chunks of which a peer may have told parts; beyond it parts are forgotten, so that telling cannot fill memory.
  static let partialChunksMax = 4096

  let isComplete: Bool
  private(set) var chunks: ChunkSet
  private(set) var partial: [ChunkIndex: UInt64] = [:]

  init(isComplete: Bool, layout: ChunkLayout) {
    self.isComplete = isComplete
    chunks = ChunkSet(capacity: isComplete ? 0 : layout.chunkCount)
  }

  func has(_ chunk: ChunkIndex) -> Bool { isComplete || chunks.contains(Int(chunk.rawValue)) }

  /// The leaves of a chunk that the peer has, bit 0 the first; of a chunk that it has whole every bit may be set.
  func leaves(of chunk: ChunkIndex) -> UInt64 { has(chunk) ? .max : partial[chunk] ?? 0 }

  /// The least chunk from `start` on that the peer has whole or in part.
  func first(from start: Int, layout: ChunkLayout) -> Int? {
    if isComplete { return start < layout.chunkCount ? start : nil }
    let inPart = partial.keys.lazy.map { Int($0.rawValue) }.filter { $0 >= start }.min()
    return [chunks.first(from: start), inPart].compactMap { $0 }.min()
  }

  /// Takes in a run. A chunk that the file has not is ignored.
  mutating func add(_ run: LeafRun, layout: ChunkLayout) -> Gain {
    guard !isComplete, layout.contains(run.chunk), !has(run.chunk) else { return .nothing }
    let whole = layout.leaves(of: run.chunk).mask
    let before = partial[run.chunk]
    let mask = (before ?? 0) | (run.leaves.mask & whole)
    if mask == before { return .nothing }
    if mask == whole {
      partial[run.chunk] = nil
      chunks.insert(Int(run.chunk.rawValue))
    } else if before != nil || partial.count < Holdings.partialChunksMax {
      partial[run.chunk] = mask
    } else {
      return .nothing
    }
    return before == nil ? .first : .more
  }

  /// Every chunk of which the peer has something, in no order.
  func forEachChunk(_ body: (ChunkIndex) -> Void) {
    chunks.forEach { body(ChunkIndex(UInt32($0))) }
    for chunk in partial.keys { body(chunk) }
  }
}
