// When the host names of peers are looked up: at the start, and repeatedly while the download runs.

/// The result of a look-up.
public enum LookupOutcome: Hashable, Sendable {
  /// The look-up found new addresses.
  case news
  case nothingNew
  /// The name has no addresses now.
  case failed
}

/// Decides for the names of one download, by their index. Follows a service that is scaled up or down: names are looked
/// up often while the download lacks peers or lost one, and rarely while it has enough. Reads no clock and looks
/// nothing up.
public struct LookupSchedule: Sendable {
  /// The time between two look-ups of a name while the download wants more live peers.
  public static let interval: Duration = .seconds(5)
  /// The interval doubles up to this while the download has enough peers and finds no new addresses.
  public static let intervalMax: Duration = .seconds(30)
  /// The first interval after a peer was lost, and while none is live.
  public static let intervalInNeed: Duration = .seconds(1)
  /// How long the start waits for names that do not resolve yet: a whole swarm often starts at once.
  public static let patience: Duration = .seconds(5)
  /// How many look-ups are under way at a time. Each one blocks a thread.
  public static let underWayMax = 16

  private struct Name: Sendable {
    var endedAt: Instant?
    var hasResolved = false
    /// Look-ups since the last one that found new addresses, a lost peer, or a lack of peers.
    var quietCount = 0
  }

  private var names: [Name]
  private let start: Instant
  private let peersWanted: Int
  private var livePeers = 0
  private var underWay = 0
  private var due = DeadlineQueue<Int>()

  /// - `names`: how many names there are. All are due at once.
  /// - `peersWanted`: how many live peers are enough.
  public init(names count: Int, peersWanted: Int, at now: Instant) {
    names = Array(repeating: Name(), count: count)
    start = now
    self.peersWanted = peersWanted
    for name in names.indices { due.set(name, at: now) }
  }

  /// When to call `next` and `isSettled` again; nil if no timer runs.
  public var deadline: Instant? {
    let next = underWay < LookupSchedule.underWayMax ? due.next : nil
    let isPatient = names.allSatisfy { $0.endedAt != nil } && !names.allSatisfy(\.hasResolved)
    return [next, isPatient && !isOver ? start + LookupSchedule.patience : nil].compactMap { $0 }.min()
  }

  /// Returns a name to look up now; nil if none is due. The look-up is under way until `ended`.
  public mutating func next(at now: Instant) -> Int? {
    guard underWay < LookupSchedule.underWayMax, let name = due.popDue(at: now) else { return nil }
    underWay += 1
    return name
  }

  public mutating func ended(_ name: Int, _ outcome: LookupOutcome, at now: Instant) {
    underWay -= 1
    names[name].endedAt = now
    if outcome != .failed { names[name].hasResolved = true }
    if outcome == .news { names[name].quietCount = 0 }
    due.set(name, at: now + interval(after: name, at: now))
  }

  /// Sets how many peers are live now. Call it whenever the number may have changed.
  public mutating func setLivePeers(_ count: Int, at now: Instant) {
    let before = livePeers
    livePeers = count
    guard count < before || before == 0 && count > 0 else { return }
    for name in names.indices {
      names[name].quietCount = 0
      guard let due = due[name], let ended = names[name].endedAt else { continue }
      let first = count < before ? LookupSchedule.intervalInNeed : LookupSchedule.interval
      let soon = max(now, ended + first)
      self.due.set(name, at: count < before ? min(due, soon) : soon)
    }
  }

  /// Returns whether each name has resolved, or has a result and the wait at the start is over. Once true it stays
  /// true.
  public mutating func isSettled(at now: Instant) -> Bool {
    if !isOver {
      let haveEnded = names.allSatisfy { $0.endedAt != nil }
      isOver = haveEnded && (now >= start + LookupSchedule.patience || names.allSatisfy(\.hasResolved))
    }
    return isOver
  }
  private var isOver = false

  private mutating func interval(after name: Int, at now: Instant) -> Duration {
    if livePeers == 0 && !isSettled(at: now) { return LookupSchedule.intervalInNeed }
    let first = livePeers == 0 ? LookupSchedule.intervalInNeed : LookupSchedule.interval
    let isWanting = livePeers > 0 && livePeers < peersWanted
    defer { names[name].quietCount = isWanting ? 0 : names[name].quietCount + 1 }
    return min(first * (1 << min(names[name].quietCount, 8)), LookupSchedule.intervalMax)
  }
}
