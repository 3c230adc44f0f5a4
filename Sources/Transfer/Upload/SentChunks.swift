// The latest chunks that were sent on one connection. The node checks them again if the peer says that they were wrong.
import Content
import Wire

/// A peer hashes data as it arrives and has at most `ProtocolLimits.requestsInFlightMax` requests open, so a complaint
/// is about one of these chunks.
public struct SentChunks: Sendable {
  /// Twice the requests in flight. They take 2 KiB on a connection that sent so many.
  public static let countMax = 2 * ProtocolLimits.requestsInFlightMax

  private var chunks: [(handle: FileHandle, chunk: ChunkIndex)] = []
  /// Where the next chunk is stored once all places are taken.
  private var next = 0

  public init() {}

  /// Notes that a piece of a chunk is sent. The pieces of an answer follow one another, and count once.
  public mutating func note(_ chunk: ChunkIndex, of handle: FileHandle) {
    if let last = chunks.isEmpty ? nil : chunks[(next + chunks.count - 1) % chunks.count], last == (handle, chunk) {
      return
    }
    guard chunks.count == SentChunks.countMax else { return chunks.append((handle, chunk)) }
    chunks[next] = (handle, chunk)
    next = (next + 1) % chunks.count
  }

  /// The chunks, the newest first, each once.
  public var newestFirst: [(handle: FileHandle, chunk: ChunkIndex)] {
    var found: [(handle: FileHandle, chunk: ChunkIndex)] = []
    for place in (0..<chunks.count).reversed() {
      let sent = chunks[(next + place) % chunks.count]
      if !found.contains(where: { $0 == sent }) { found.append(sent) }
    }
    return found
  }
}
