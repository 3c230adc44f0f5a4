// The leaves of a file that a node can offer to other peers, and the hashes that prove them.
import Content
import Wire

/// Verified leaves are offered once the node can prove them: their chunk is whole, or its leaf hashes are known. The
/// memory for hashes is bounded, in whatever order the leaves come.
public struct LocalAvailability: Sendable {
  /// How many unfinished chunks keep their leaf hashes, 2 KiB each. Leaves of other chunks are offered when the chunk
  /// is whole.
  public static let unfinishedHashesMax = 4096
  /// How many whole chunks, the latest ones, keep their leaf hashes. The node hashes other chunks again.
  public static let wholeHashesMax = 4096
  /// The time between two announcements. It is short enough that a peer need not wait for a whole chunk, and the frames
  /// cost a crowd little. Crowds of 6 to 100 peers were not faster with 5 ms, nor with announcements of rare chunks
  /// only.
  public static let newsInterval: Duration = .milliseconds(50)

  /// A chunk that is not whole.
  private struct Part: Sendable {
    var verified: UInt64 = 0
    var leafHashes: [Digest]?
    var offered: UInt64 { leafHashes == nil ? 0 : verified }
  }

  public let layout: ChunkLayout
  /// One bit for each chunk, most significant first, as in BITMAP.
  private var wholeBits: [UInt8]
  /// How many chunks are whole.
  public private(set) var wholeCount = 0
  private var parts: [ChunkIndex: Part] = [:]
  private var unfinishedHashesCount = 0
  private var wholeHashes: [ChunkIndex: [Digest]] = [:]
  /// The chunks in `wholeHashes`: a ring whose oldest entry is at `oldest` once it is full.
  private var wholeOrder: [ChunkIndex] = []
  private var oldest = 0
  /// Offered leaves that are not announced yet.
  private var news: [ChunkIndex: UInt64] = [:]
  /// When the next announcement may be made.
  private var quietUntil = Instant(nanoseconds: .min)

  /// - `isComplete`: whether the node has the whole file already.
  public init(_ layout: ChunkLayout, isComplete: Bool = false) {
    self.layout = layout
    wholeBits = Array(repeating: 0, count: (layout.chunkCount + 7) / 8)
    guard isComplete else { return }
    for chunk in 0..<layout.chunkCount { setWhole(ChunkIndex(UInt32(chunk))) }
  }

  /// Whether any leaf is offered.
  public var hasAny: Bool { wholeCount > 0 || isComplete || parts.values.contains { $0.offered != 0 } }

  public var isComplete: Bool { wholeCount == layout.chunkCount }

  /// When to announce the new leaves; nil if there are none.
  public var newsDeadline: Instant? { news.isEmpty ? nil : quietUntil }

  /// Adds leaves that were verified and written. `leafHashes`: all leaf hashes of the chunk, verified, if they are
  /// known. The listing of a folder may have them too.
  public mutating func add(_ mask: UInt64, of chunk: ChunkIndex, leafHashes: [Digest]? = nil) {
    guard layout.contains(chunk), !isWhole(chunk) else { return }
    let all = layout.leaves(of: chunk).mask
    var part = parts[chunk] ?? Part()
    let before = part.offered
    part.verified |= mask & all
    let leafHashes = leafHashes ?? (part.leafHashes == nil ? layout.folder?.knownLeafHashes(of: chunk) : nil)
    if part.leafHashes == nil, let leafHashes, unfinishedHashesCount < LocalAvailability.unfinishedHashesMax {
      part.leafHashes = leafHashes
      unfinishedHashesCount += 1
    }
    if part.verified == all {
      if part.leafHashes != nil { unfinishedHashesCount -= 1 }
      parts[chunk] = nil
      setWhole(chunk)
      if let hashes = part.leafHashes ?? leafHashes { keep(hashes, of: chunk) }
      tell(all & ~before, of: chunk)
    } else {
      parts[chunk] = part
      tell(part.offered & ~before, of: chunk)
    }
  }

  private mutating func tell(_ mask: UInt64, of chunk: ChunkIndex) { if mask != 0 { news[chunk, default: 0] |= mask } }

  private mutating func setWhole(_ chunk: ChunkIndex) {
    wholeBits[Int(chunk.rawValue) / 8] |= 0x80 >> UInt8(chunk.rawValue % 8)
    wholeCount += 1
  }

  private func isWhole(_ chunk: ChunkIndex) -> Bool {
    wholeBits[Int(chunk.rawValue) / 8] & (0x80 >> UInt8(chunk.rawValue % 8)) != 0
  }

  // MARK: Asked by peers

  /// Returns whether leaves are offered. The chunk and leaves need not exist.
  public func offers(_ leaves: LeafRange, of chunk: ChunkIndex) -> Bool {
    guard layout.contains(chunk) else { return false }
    let mask = isWhole(chunk) ? layout.leaves(of: chunk).mask : parts[chunk]?.offered ?? 0
    return leaves.mask & ~mask == 0
  }

  /// Returns the hashes of all leaves of a chunk; nil if they are not kept.
  public func leafHashes(of chunk: ChunkIndex) -> [Digest]? { parts[chunk]?.leafHashes ?? wholeHashes[chunk] }

  /// The offered leaves of a chunk that is not whole.
  public struct Offered: Hashable, Sendable {
    /// The leaves, bit 0 the first.
    public let mask: UInt64
    /// The hashes of all leaves of the chunk.
    public let leafHashes: [Digest]
  }

  /// Returns the offered leaves of an unfinished chunk. Nil if the chunk is whole, or none of its leaves is offered.
  public func unfinished(_ chunk: ChunkIndex) -> Offered? {
    guard let part = parts[chunk], let leafHashes = part.leafHashes, part.offered != 0 else { return nil }
    return Offered(mask: part.offered, leafHashes: leafHashes)
  }

  /// Keeps the leaf hashes of a whole chunk for the next request.
  public mutating func keep(_ leafHashes: [Digest], of chunk: ChunkIndex) {
    guard wholeHashes.updateValue(leafHashes, forKey: chunk) == nil else { return }
    guard wholeOrder.count == LocalAvailability.wholeHashesMax else { return wholeOrder.append(chunk) }
    wholeHashes[wholeOrder[oldest]] = nil
    wholeOrder[oldest] = chunk
    oldest = (oldest + 1) % wholeOrder.count
  }

  // MARK: Announcements

  /// All offered chunks and leaves.
  public var offer: HeldParts {
    HeldParts(
      wholeChunks: wholeBits, runs: parts.sorted { $0.key < $1.key }.flatMap { LeafRun.runs(of: $1.offered, in: $0) })
  }

  /// Returns the leaves that became available since the last call. The caller announces them to every peer that has the
  /// file open here.
  public mutating func takeNews(at now: Instant) -> [LeafRun] {
    defer { (news, quietUntil) = ([:], now + LocalAvailability.newsInterval) }
    return news.sorted { $0.key < $1.key }.flatMap { LeafRun.runs(of: $1, in: $0) }
  }
}

extension LeafRun {
  /// Returns the leaves of a mask, bit 0 the first, as the fewest runs.
  public static func runs(of mask: UInt64, in chunk: ChunkIndex) -> [LeafRun] {
    var runs: [LeafRun] = []
    var rest = mask
    while rest != 0 {
      let first = rest.trailingZeroBitCount
      let leaves = LeafRange(first: first, count: (~(rest >> UInt64(first))).trailingZeroBitCount)
      runs.append(LeafRun(chunk: chunk, leaves: leaves))
      rest &= ~leaves.mask
    }
    return runs
  }
}
