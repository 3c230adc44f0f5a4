// How far the requests of a stream run ahead of its reader.
import Content

/// The chunks of a stream that peers may be asked for: they begin at the first chunk that the reader has not taken, and
/// their wanted bytes fit the window. Unwanted chunks take no room in it.
///
/// Both ends move only forward, so all moves together visit each chunk at most twice.
struct StreamWindow {
  /// The size of the window in bytes.
  private let byteCountMax: Int
  /// The reader has taken the wanted leaves of all chunks before this one.
  private var start = 0
  /// Chunks from here on are not asked for yet.
  private(set) var end = 0
  /// Wanted bytes of the chunks from `start` to `end`.
  private var byteCount = 0

  /// Makes the window of a reader that has taken nothing.
  /// - `chunkCount`: the size of the window in full chunks; at least 1, so that the next wanted chunk always fits.
  init(chunkCount: Int, of chunks: ChunkTable) {
    precondition(chunkCount >= 1, "a window has a chunk")
    byteCountMax = chunkCount * chunks.layout.chunkSize
    grow(chunks)
  }

  /// Moves the start of the window: the reader has taken the wanted leaves of all chunks before `chunk`. A chunk before
  /// the present start has no effect.
  mutating func move(to chunk: ChunkIndex, of chunks: ChunkTable) {
    let chunk = min(Int(chunk.rawValue), chunks.layout.chunkCount)
    guard chunk > start else { return }
    for taken in start..<chunk where taken < end { byteCount -= wantedByteCount(of: taken, chunks) }
    (start, end) = (chunk, max(chunk, end))
    grow(chunks)
  }

  private mutating func grow(_ chunks: ChunkTable) {
    while end < chunks.layout.chunkCount {
      let more = wantedByteCount(of: end, chunks)
      if byteCount + more > byteCountMax { return }
      byteCount += more
      end += 1
    }
  }

  private func wantedByteCount(of chunk: Int, _ chunks: ChunkTable) -> Int {
    let chunk = ChunkIndex(UInt32(chunk))
    return chunks.layout.length(ofLeaves: chunks.due(chunk), in: chunk)
  }
}
