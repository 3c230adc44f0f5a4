// How often a node deals with strangers of one address group. The more they fail, the longer the delay.

/// A host can pose as any number of strangers, so failures count by address group. A download asks strangers at this
/// pace; it does not apply to named addresses and proven peers. A listener admits a group that broke the protocol at
/// this pace.
struct StrangerPace: Sendable {
  /// How many failures of a group cause no delay: a few honest newcomers may fail at the same time.
  static let failuresFree = 4
  /// The first delay. It doubles with each further failure.
  static let delayFirst: Duration = .milliseconds(250)
  static let delayMax: Duration = .seconds(16)
  /// After this long without a failure the count of a group starts again.
  static let forgivenAfter: Duration = .seconds(60)
  /// How many groups are remembered.
  static let groupsMax = 1_024

  private struct Record: Sendable {
    var failures = 0
    var last: Instant
    var until: Instant?
  }

  private var records = RecentTable<AddressGroup, Record>(capacity: StrangerPace.groupsMax)
  /// When each waiting group may be asked again. Few groups wait, and none in a download without trouble.
  private var waiting: [AddressGroup: Instant] = [:]

  var isEmpty: Bool { records.isEmpty }

  /// Counts a failure of a stranger in the group.
  mutating func failed(_ group: AddressGroup, at now: Instant) {
    var record = records[group] ?? Record(last: now)
    if now - record.last >= StrangerPace.forgivenAfter { record = Record(last: now) }
    record.failures += 1
    record.last = now
    let excess = record.failures - StrangerPace.failuresFree
    if excess > 0 {
      record.until = now + min(StrangerPace.delayFirst * (1 << min(excess - 1, 16)), StrangerPace.delayMax)
      if waiting[group] != nil || waiting.count < StrangerPace.groupsMax { waiting[group] = record.until }
    }
    records[group] = record
  }

  /// Clears the failures of a group, because a stranger of it became proven.
  mutating func proved(_ group: AddressGroup) {
    if records.isEmpty { return }
    records[group] = nil
    waiting[group] = nil
  }

  func isWaiting(_ group: AddressGroup) -> Bool { waiting[group] != nil }
  func until(_ group: AddressGroup) -> Instant? { waiting[group] }

  /// Releases the groups whose delay is over. Returns when the next delay ends.
  mutating func release(at now: Instant) -> Instant? {
    waiting = waiting.filter { $0.value > now }
    return waiting.values.min()
  }
}
