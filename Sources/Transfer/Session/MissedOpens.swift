// When an OPEN that no file matches is answered: the first ones at once, further ones slowly.
import Wire

/// The OPENs of one connection that name no file here. A peer that tries many gets few answers, and no answer is lost.
struct MissedOpens: Sendable {
  /// How many OPENs are answered at once after a pause.
  static let atOnceMax = UInt64(ProtocolLimits.missedOpensAtOnce)
  /// How many further OPENs are answered each second.
  static let perSecond: UInt64 = 1

  /// The bucket is full until its first use, so the start time does not matter.
  private var pace = RateLimiter(bytesPerSecond: MissedOpens.perSecond, burst: MissedOpens.atOnceMax, at: .zero)
  /// Handles whose OPEN is not answered yet, in the order of arrival.
  private var waiting: [FileHandle] = []

  var waitingCount: Int { waiting.count }
  /// When to call `due` next; nil if nothing waits.
  private(set) var deadline: Instant?

  /// Takes an OPEN that named no file. True if it is answered now; else `due` returns it later.
  mutating func miss(_ handle: FileHandle, at now: Instant) -> Bool {
    if waiting.isEmpty, take(at: now) { return true }
    waiting.append(handle)
    if deadline == nil { deadline = now + pace.delay(until: 1, at: now) }
    return false
  }

  /// Removes and returns the OPENs that are answered now.
  mutating func due(at now: Instant) -> [FileHandle] {
    guard let deadline, deadline <= now else { return [] }
    var count = 0
    while count < waiting.count, take(at: now) { count += 1 }
    let handles = Array(waiting.prefix(count))
    waiting.removeFirst(count)
    self.deadline = waiting.isEmpty ? nil : now + pace.delay(until: 1, at: now)
    return handles
  }

  private mutating func take(at now: Instant) -> Bool { pace.take(upTo: 1, at: now) == 1 }
}
