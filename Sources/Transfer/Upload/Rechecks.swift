// Chunks that peers reported as wrong: which one the node hashes again next, and how often. A peer can complain about a
// good file for ever, so a complaint must cost little.
import Content

/// Lets the address groups that complained take turns. Reads no clock and no file. `Content` identifies the file of a
/// chunk.
public struct Rechecks<Content: Hashable & Sendable>: Sendable {
  public struct Item: Hashable, Sendable {
    public let content: Content
    public let chunk: ChunkIndex

    public init(_ content: Content, _ chunk: ChunkIndex) {
      self.content = content
      self.chunk = chunk
    }
  }

  public enum Next: Hashable, Sendable {
    /// Check this chunk now.
    case check(Item)
    /// No check before this delay.
    case wait(Duration)
    case nothing
  }

  /// How many address groups may have chunks that wait. Complaints of further groups are dropped: a true complaint
  /// comes again.
  static var askersMax: Int { 64 }
  /// How many chunks of one group wait: as many as one connection remembers of those that it sent.
  static var perAskerMax: Int { SentChunks.countMax }
  /// Chunks checked a second: 16 MiB are read from the disk, and hashing them takes 1 % of a core.
  static var perSecondMax: Int { 16 }
  /// Checks in a burst after a pause: all chunks of one connection, so that a true complaint is resolved quickly.
  static var burst: Int { SentChunks.countMax }
  /// The pause before a chunk is checked again.
  static var rest: Duration { .seconds(10) }

  /// The chunks that wait, by the group that complained. Nil: the node itself suspects them.
  private var waiting: [AddressGroup?: [Item]] = [:]
  /// The groups that wait, the next one first.
  private var turns: [AddressGroup?] = []
  private var restsUntil: [Item: Instant] = [:]
  private var pace: RateLimiter

  public init(at now: Instant) {
    pace = RateLimiter(bytesPerSecond: UInt64(Self.perSecondMax), burst: UInt64(Self.burst), at: now)
  }

  /// Queues chunks, because a peer of this group says that some of them were wrong.
  /// - `group`: nil if the node itself suspects them.
  public mutating func ask(_ items: [Item], from group: AddressGroup?) {
    if waiting[group] == nil {
      guard !items.isEmpty, waiting.count < Self.askersMax else { return }
      turns.append(group)
    }
    Self.add(items, to: &waiting[group, default: []])
  }

  private static func add(_ items: [Item], to waiting: inout [Item]) {
    for item in items where waiting.count < perAskerMax && !waiting.contains(item) { waiting.append(item) }
  }

  /// Returns what to do now. A chunk that it returns counts as checked.
  public mutating func next(at now: Instant) -> Next {
    guard !turns.isEmpty else { return .nothing }
    let delay = pace.delay(until: 1, at: now)
    guard delay == .zero else { return .wait(delay) }
    restsUntil = restsUntil.filter { $0.value > now }
    for (place, group) in turns.enumerated() {
      var items = waiting[existing: group]
      guard let index = items.firstIndex(where: { restsUntil[$0] == nil }) else { continue }
      let item = items.remove(at: index)
      waiting[group] = items.isEmpty ? nil : items
      turns.remove(at: place)
      if !items.isEmpty { turns.append(group) }
      _ = pace.take(upTo: 1, at: now)
      restsUntil[item] = now + Self.rest
      return .check(item)
    }
    return .wait((restsUntil.values.min() ?? now) - now)
  }
}
