// The latest chunks sent on one connection. The node checks them again if the peer says that they were wrong.
import Content
import Wire

/// A peer hashes data as it arrives and has at most `ProtocolLimits.requestsInFlightMax` requests open, so a complaint
/// is about one of these chunks.
public struct SentChunks: Sendable {
  /// Twice the requests in flight; 2 KiB of a connection that was sent so many.
  public static let countMax = 2 * ProtocolLimits.requestsInFlightMax

  private var chunks: [(handle: FileHandle, chunk: ChunkIndex)] = []
  /// Where the next one goes once all places are taken.
  private var next = 0

  public init() {}

  /// A piece of a chunk is sent. The pieces of an answer come one after the other, and count once.
  public mutating func note(_ chunk: ChunkIndex, of handle: FileHandle) {
    if let last = chunks.isEmpty ? nil : chunks[(next + chunks.count - 1) % chunks.count], last == (handle, chunk) {
      return
    }
    guard chunks.count == SentChunks.countMax else { return chunks.append((handle, chunk)) }
    chunks[next] = (handle, chunk)
    next = (next + 1) % chunks.count
  }

  /// The newest first, each once.
  public var newestFirst: [(handle: FileHandle, chunk: ChunkIndex)] {
    var found: [(handle: FileHandle, chunk: ChunkIndex)] = []
    for place in (0..<chunks.count).reversed() {
      let sent = chunks[(next + place) % chunks.count]
      if !found.contains(where: { $0 == sent }) { found.append(sent) }
    }
    return found
  }
}
