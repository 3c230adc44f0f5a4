// How far a stream runs ahead of its reader.
import Content

/// The chunks of a stream that peers may be asked for: from the first wanted chunk that the reader has not taken, as many
/// as have the wanted bytes of the window. Chunks that are not wanted take no room in it.
///
/// Both ends move only forward, so all moves together cost as much as one look at each chunk.
struct StreamWindow {
  /// Bytes.
  private let byteCountMax: Int
  /// The reader has taken the wanted leaves of all chunks before this one.
  private var start = 0
  /// Chunks from here on are not asked for yet.
  private(set) var end = 0
  /// Wanted bytes of the chunks between both.
  private var byteCount = 0

  /// The window of a reader that has taken nothing.
  /// - `chunkCount`: the full chunks whose bytes it has, at least 1: so the next wanted chunk is always in it.
  init(chunkCount: Int, of chunks: ChunkTable) {
    precondition(chunkCount >= 1, "a window has a chunk")
    byteCountMax = chunkCount * chunks.layout.chunkSize
    grow(chunks)
  }

  /// The reader has taken the wanted leaves of all chunks before `chunk`. A place before an earlier one means nothing.
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
