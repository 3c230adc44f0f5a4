// Chunks that peers say were wrong: which of them is read and hashed again next, and how often that may be. A peer can say
// so of a good file for ever, and that must cost little.
import Content

/// Decides in turns among those that asked. Reads no clock and no file. `Content` names what a chunk is of.
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
    /// To be checked now.
    case check(Item)
    /// Nothing before so long.
    case wait(Duration)
    case nothing
  }

  /// Addresses whose chunks wait; what more of them ask is forgotten: a true complaint comes again.
  static var askersMax: Int { 64 }
  /// Chunks of one address that wait: what one connection remembers of what it sent.
  static var perAskerMax: Int { SentChunks.countMax }
  /// Chunks a second: 16 MiB are read from the disk, and cost 1 % of a core to hash.
  static var perSecondMax: Int { 16 }
  /// As many at once after a pause: all of one connection's, so that a true complaint is dealt with in a moment.
  static var burst: Int { SentChunks.countMax }
  /// A chunk that was checked is not checked again before.
  static var rest: Duration { .seconds(10) }

  private var waiting: [[UInt8]: [Item]] = [:]
  /// The addresses that wait, the next one first.
  private var turns: [[UInt8]] = []
  private var restsUntil: [Item: Instant] = [:]
  private var pace: RateLimiter

  public init(at now: Instant) {
    pace = RateLimiter(bytesPerSecond: UInt64(Self.perSecondMax), burst: UInt64(Self.burst), at: now)
  }

  /// A peer at this address says that some of these chunks were wrong.
  public mutating func ask(_ items: [Item], from ip: [UInt8]) {
    if waiting[ip] == nil {
      guard !items.isEmpty, waiting.count < Self.askersMax else { return }
      waiting[ip] = []
      turns.append(ip)
    }
    for item in items where waiting[ip]!.count < Self.perAskerMax && !waiting[ip]!.contains(item) {
      waiting[ip]!.append(item)
    }
  }

  /// What to do now. Each call that gives a chunk counts as its check.
  public mutating func next(at now: Instant) -> Next {
    guard !turns.isEmpty else { return .nothing }
    let delay = pace.delay(until: 1, at: now)
    guard delay == .zero else { return .wait(delay) }
    restsUntil = restsUntil.filter { $0.value > now }
    for (place, ip) in turns.enumerated() {
      guard let index = waiting[ip]!.firstIndex(where: { restsUntil[$0] == nil }) else { continue }
      let item = waiting[ip]!.remove(at: index)
      turns.remove(at: place)
      if waiting[ip]!.isEmpty { waiting[ip] = nil } else { turns.append(ip) }
      _ = pace.take(upTo: 1, at: now)
      restsUntil[item] = now + Self.rest
      return .check(item)
    }
    return .wait((restsUntil.values.min() ?? now) - now)
  }
}
