// How much of a content each peer was sent, and when a peer has all of it.
import Content
import Wire

/// Counts fetches of contents that this node serves. A fetch is the transfer of one content to one peer, over any
/// number of connections.
///
/// A serving node does not hear which leaves a peer has. So a fetch counts as complete when this node has sent every
/// leaf, and the peer then closed the content or asked for nothing more. A leaf that the peer asks for again did not
/// arrive. Not shared between threads.
public struct FetchTally: Sendable {
  /// If all leaves were sent and the peer asked for nothing in this time, the peer lacks nothing. A peer that lacks a
  /// leaf asks for it within milliseconds, or when its request times out on a bad path.
  public static let restTime = Duration.seconds(10)
  /// How many fetches are remembered: as many as inbound connections are allowed by default. An entry takes one bit for
  /// each chunk.
  static let fetchesMax = 1_024
  /// How many partly sent chunks of a fetch are remembered: far more than requests in flight.
  static let partsMax = 4 * ProtocolLimits.requestsInFlightMax

  /// A content and the peer that fetches it.
  public struct Key: Hashable, Sendable {
    public let peer: PeerID
    public let content: FileID

    public init(peer: PeerID, content: FileID) { (self.peer, self.content) = (peer, content) }
  }

  /// The state of one fetch.
  public struct Fetch: Hashable, Sendable {
    public let key: Key
    /// The length of the content in bytes.
    public let byteCount: UInt64
    /// Bytes of the leaves that were sent; each leaf counts once.
    public fileprivate(set) var sentByteCount: UInt64 = 0
    public let began: Instant
    /// When the peer last asked for a leaf, or was sent one.
    public fileprivate(set) var latest: Instant

    /// Whether every leaf was sent.
    public var isAllSent: Bool { sentByteCount == byteCount }
  }

  private struct Entry {
    let number: UInt64
    var fetch: Fetch
    let layout: ChunkLayout
    /// Chunks whose every leaf was sent.
    var whole: ChunkSet
    /// The sent leaves of the other chunks.
    var parts: [ChunkIndex: UInt64] = [:]
    /// On how many connections the peer has the content open.
    var openCount = 0
    var isCounted = false
  }

  /// The result of a fetch when the peer no longer has the content open.
  public enum Ending: Hashable, Sendable {
    case complete(Fetch)
    /// The peer left before all was sent. It may come back.
    case left(Fetch)
  }

  private var entries: [Key: Entry] = [:]
  private var begunCount: UInt64 = 0

  public init() {}

  /// Incomplete fetches whose peers have the content open, in the order in which they began.
  public var running: [Fetch] {
    entries.values.filter { $0.openCount > 0 && !$0.isCounted }.sorted { $0.number < $1.number }.map(\.fetch)
  }

  /// Notes that a peer has opened a content on a connection. Returns the fetch if it begins or continues after a break.
  public mutating func opened(_ key: Key, _ layout: ChunkLayout, at now: Instant) -> Fetch? {
    if entries[key] == nil {
      guard makeRoom() else { return nil }
      begunCount += 1
      entries[key] = Entry(
        number: begunCount, fetch: Fetch(key: key, byteCount: layout.fileLength, began: now, latest: now),
        layout: layout, whole: ChunkSet(capacity: layout.chunkCount))
    }
    entries[key]!.openCount += 1
    entries[key]!.fetch.latest = now
    return entries[key]!.openCount == 1 ? entries[key]!.fetch : nil
  }

  /// Forgets the oldest fetch that is not running if there are too many. False if all are running.
  private mutating func makeRoom() -> Bool {
    guard entries.count >= FetchTally.fetchesMax else { return true }
    guard let oldest = entries.filter({ $0.value.openCount == 0 }).min(by: { $0.value.number < $1.value.number }) else {
      return false
    }
    entries[oldest.key] = nil
    return true
  }

  /// Notes that the peer asks for leaves. It lacks them, even if they were sent before. The leaves must exist in the
  /// content.
  public mutating func asked(_ leaves: LeafRange, of chunk: ChunkIndex, _ key: Key, at now: Instant) {
    guard var entry = entries.removeValue(forKey: key) else { return }
    defer { entries[key] = entry }
    entry.fetch.latest = now
    let known =
      entry.whole.contains(Int(chunk.rawValue)) ? entry.layout.leaves(of: chunk).mask : entry.parts[chunk] ?? 0
    guard known & leaves.mask != 0 else { return }
    entry.fetch.sentByteCount -= UInt64(entry.layout.length(ofLeaves: known & leaves.mask, in: chunk))
    entry.whole.remove(Int(chunk.rawValue))
    let rest = known & ~leaves.mask
    entry.parts[chunk] = rest == 0 ? nil : rest
  }

  /// Notes that leaves were sent to the peer. They must exist in the content.
  public mutating func sent(_ leaves: LeafRange, of chunk: ChunkIndex, _ key: Key, at now: Instant) {
    guard var entry = entries.removeValue(forKey: key) else { return }
    defer { entries[key] = entry }
    entry.fetch.latest = now
    guard !entry.whole.contains(Int(chunk.rawValue)) else { return }
    let known = entry.parts[chunk] ?? 0
    entry.fetch.sentByteCount += UInt64(entry.layout.length(ofLeaves: leaves.mask & ~known, in: chunk))
    let all = known | leaves.mask
    guard all != entry.layout.leaves(of: chunk).mask else {
      entry.parts[chunk] = nil
      entry.whole.insert(Int(chunk.rawValue))
      return
    }
    if entry.parts[chunk] == nil, entry.parts.count >= FetchTally.partsMax, let (old, mask) = entry.parts.popFirst() {
      entry.fetch.sentByteCount -= UInt64(entry.layout.length(ofLeaves: mask, in: old))
    }
    entry.parts[chunk] = all
  }

  /// Notes that the peer no longer has the content open on a connection. Nil if the peer has it open on another
  /// connection and is not done, or if the fetch was counted as complete before.
  /// - `isDone`: the peer closed the content, or said that it is done. Else the connection broke, and the leaves that
  ///   were sent last may not have arrived.
  public mutating func closed(_ key: Key, isDone: Bool) -> Ending? {
    guard var entry = entries[key], entry.openCount > 0 else { return nil }
    entry.openCount -= 1
    if entry.isCounted {
      entries[key] = entry.openCount == 0 ? nil : entry
      return nil
    }
    guard isDone, entry.fetch.isAllSent else {
      entries[key] = entry
      return entry.openCount == 0 ? .left(entry.fetch) : nil
    }
    entry.isCounted = true
    entries[key] = entry.openCount == 0 ? nil : entry
    return .complete(entry.fetch)
  }

  /// Returns the fetches that are complete because their peers have asked for nothing for `restTime`. Each is returned
  /// once.
  public mutating func settle(at now: Instant) -> [Fetch] {
    let rested = entries.filter { _, entry in
      entry.openCount > 0 && !entry.isCounted && entry.fetch.isAllSent
        && now - entry.fetch.latest >= FetchTally.restTime
    }
    for key in rested.keys { entries[key]!.isCounted = true }
    return rested.values.sorted { $0.number < $1.number }.map(\.fetch)
  }
}
