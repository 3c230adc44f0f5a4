// The request for leaves, and the start of the frame that answers it.
import Content

/// Asks for a run of leaves of one chunk.
public struct ChunkRequest: Hashable, Sendable {
  public let id: RequestID
  public let handle: FileHandle
  public let chunk: ChunkIndex
  public let leaves: LeafRange
  /// Whether the first DATA of the answer must carry all leaf hashes of the chunk.
  public let wantsLeafHashes: Bool

  public init(id: RequestID, handle: FileHandle, chunk: ChunkIndex, leaves: LeafRange, wantsLeafHashes: Bool) {
    self.id = id
    self.handle = handle
    self.chunk = chunk
    self.leaves = leaves
    self.wantsLeafHashes = wantsLeafHashes
  }
}

/// A DATA frame without the bytes of its leaves, which follow it in the stream.
public struct DataHeader: Hashable, Sendable {
  public let id: RequestID
  /// 1…64 leaves.
  public let leaves: LeafRange
  /// Whether this is the last DATA of its answer.
  public let isLast: Bool
  /// Empty, or the hashes of all leaves of the chunk.
  public let leafHashes: [Digest]
  /// How many bytes of leaves follow: 1…`leaves.count` × 16,384, and at most 65,536.
  public let byteCount: Int

  public init(id: RequestID, leaves: LeafRange, isLast: Bool, leafHashes: [Digest] = [], byteCount: Int) {
    precondition(leaves.count <= ProtocolLimits.dataLeavesMax, "a DATA frame has at most 64 leaves")
    precondition(
      leafHashes.isEmpty || (leaves.end...ProtocolLimits.leavesPerChunk).contains(leafHashes.count),
      "leaf hashes are all of the chunk's")
    precondition(
      byteCount >= 1 && byteCount <= min(leaves.count * ProtocolLimits.leafBytesMax, ProtocolLimits.dataLeafBytesMax),
      "leaves are 1…16,384 bytes each, and 64 KiB at most")
    self.id = id
    self.leaves = leaves
    self.isLast = isLast
    self.leafHashes = leafHashes
    self.byteCount = byteCount
  }
}

/// Bits of the `flags` fields. All other bits are 0.
enum FrameFlags {
  /// REQUEST: send the chunk's leaf hashes. DATA: the leaf hashes are in this frame.
  static let leafHashes: UInt8 = 1
  /// DATA: this is the last frame of the answer.
  static let last: UInt8 = 2
}
