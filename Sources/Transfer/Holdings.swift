// What one peer says it has of the file.
import Content

/// A run of leaves of one chunk, as HAVE names it.
public struct ChunkLeaves: Hashable, Sendable {
  public let chunk: ChunkIndex
  public let leaves: LeafRange

  public init(chunk: ChunkIndex, leaves: LeafRange) {
    self.chunk = chunk
    self.leaves = leaves
  }
}

/// The whole chunks that a peer has; of others it remembers the leaves until they are whole.
struct Holdings: Sendable {
  /// Chunks of which a peer may have told parts; beyond it parts are forgotten, so that telling cannot fill memory.
  static let partialChunksMax = 4096

  let isComplete: Bool
  private(set) var chunks: ChunkSet
  private var partial: [ChunkIndex: UInt64] = [:]

  init(isComplete: Bool, layout: ChunkLayout) {
    self.isComplete = isComplete
    chunks = ChunkSet(capacity: isComplete ? 0 : layout.chunkCount)
  }

  func has(_ chunk: ChunkIndex) -> Bool { isComplete || chunks.contains(Int(chunk.rawValue)) }

  /// The least chunk from `start` on that the peer has.
  func first(from start: Int, layout: ChunkLayout) -> Int? {
    isComplete ? (start < layout.chunkCount ? start : nil) : chunks.first(from: start)
  }

  /// Takes in a run; true where the chunk thereby became whole. A chunk that the file has not is ignored.
  mutating func add(_ run: ChunkLeaves, layout: ChunkLayout) -> Bool {
    guard !isComplete, layout.contains(run.chunk), !has(run.chunk) else { return false }
    let whole = layout.leaves(of: run.chunk).mask
    let mask = (partial[run.chunk] ?? 0) | run.leaves.mask
    if mask & whole == whole {
      partial[run.chunk] = nil
      return chunks.insert(Int(run.chunk.rawValue))
    }
    if partial[run.chunk] != nil || partial.count < Holdings.partialChunksMax { partial[run.chunk] = mask }
    return false
  }
}
