// How much of a content each peer was sent, and when a peer has all of it.
import Content
import Wire

/// Counts the fetches of some contents. A fetch is one content on its way to one peer, over any number of connections.
///
/// A node that only serves hears nothing of what a peer has, so a fetch is complete when this node has sent every leaf, and
/// the peer then gave the content back or asked for nothing more. A leaf that the peer asks for again did not arrive. Not
/// shared between threads.
public struct FetchTally: Sendable {
  /// A peer that keeps a content open and lacks a leaf asks for it within milliseconds, or when its request times out on a
  /// bad path. After this long with all leaves sent it lacks nothing.
  public static let restTime = Duration.seconds(10)
  /// Fetches that are remembered; as many as connections from outside by default. An entry takes a bit for each chunk.
  static let fetchesMax = 1_024
  /// Chunks of a fetch that were sent in part: far more than requests in flight.
  static let partsMax = 4 * ProtocolLimits.requestsInFlightMax

  /// A content and the peer that fetches it.
  public struct Key: Hashable, Sendable {
    public let peer: PeerID
    public let content: FileID

    public init(peer: PeerID, content: FileID) { (self.peer, self.content) = (peer, content) }
  }

  /// One fetch at one moment.
  public struct Fetch: Hashable, Sendable {
    public let key: Key
    /// Bytes of the content.
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
    /// The chunks of which every leaf was sent.
    var whole: ChunkSet
    /// The leaves that were sent of other chunks.
    var parts: [ChunkIndex: UInt64] = [:]
    /// Connections on which the peer has the content open.
    var openCount = 0
    var isCounted = false
  }

  /// What became of a fetch when a peer no longer has the content open.
  public enum Ending: Hashable, Sendable {
    case complete(Fetch)
    /// The peer left before all was sent. It may come back.
    case left(Fetch)
  }

  private var entries: [Key: Entry] = [:]
  private var begunCount: UInt64 = 0

  public init() {}

  /// Fetches of peers that have the content open, in the order in which they began.
  public var running: [Fetch] {
    entries.values.filter { $0.openCount > 0 && !$0.isCounted }.sorted { $0.number < $1.number }.map(\.fetch)
  }

  /// A peer has opened a content on a connection. Returns the fetch if it begins or goes on after a break.
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

  /// Forgets the oldest fetch that is not running if there are too many. False: all of them are.
  private mutating func makeRoom() -> Bool {
    guard entries.count >= FetchTally.fetchesMax else { return true }
    guard let oldest = entries.filter({ $0.value.openCount == 0 }).min(by: { $0.value.number < $1.value.number }) else {
      return false
    }
    entries[oldest.key] = nil
    return true
  }

  /// The peer asks for leaves: it does not have them, whatever was sent before. The leaves must exist in the content.
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

  /// Leaves were sent to the peer. They must exist in the content.
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

  /// The peer no longer has the content open on a connection. Nil if it has it open on another one, or was counted before.
  /// - `isDone`: the peer gave the content back, or said that it is done. Else the connection broke, and what was sent
  ///   last may not have arrived.
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

  /// The fetches that are complete because their peers have asked for nothing for `restTime`. Each comes once.
  public mutating func settle(at now: Instant) -> [Fetch] {
    let rested = entries.filter { _, entry in
      entry.openCount > 0 && !entry.isCounted && entry.fetch.isAllSent
        && now - entry.fetch.latest >= FetchTally.restTime
    }
    for key in rested.keys { entries[key]!.isCounted = true }
    return rested.values.sorted { $0.number < $1.number }.map(\.fetch)
  }
}
