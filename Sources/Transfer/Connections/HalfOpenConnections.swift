// Connections that have not finished the handshake: a newcomer always gets a place, and another goes for it.

/// The half-open connections of a node. The one that goes is drawn at random: a rule that a flood could foresee, such as
/// "the oldest goes", would end every handshake that takes longer than the flood takes to fill the places. Those whose next
/// message is overdue go before the others, which protects honest peers from a flood that does not shake hands.
struct HalfOpenConnections: Sendable {
  /// Message 1 is sent with the connection, so it is overdue this soon: a node under load looks at it within that time.
  static let message1Due = Duration.milliseconds(100)
  /// Message 3 is overdue so long after message 2 was sent: a round trip of a bad path.
  static let message3Due = Duration.seconds(1)

  private struct Entry: Sendable {
    let token: ConnectionToken
    let group: AddressGroup
    /// When the next message is overdue.
    var due: Instant
  }

  private var entries: [Entry] = []
  private var indices: [ConnectionToken: Int] = [:]
  private var counts = GroupCounts()

  var count: Int { entries.count }

  /// Enters a newcomer. Returns the connection that goes for it, if one has to.
  /// - `places`: how many may be half-open; one address group gets half of them at most.
  mutating func begin(
    _ token: ConnectionToken, from group: AddressGroup, places: Int, using generator: inout SeededGenerator,
    at now: Instant
  ) -> ConnectionToken? {
    var evicted: ConnectionToken?
    if counts[group] >= max(1, places / 2) {
      evicted = take(among: entries.filter { $0.group == group }, using: &generator, at: now)
    } else if entries.count >= max(1, places) {
      evicted = take(among: entries, using: &generator, at: now)
    }
    indices[token] = entries.count
    entries.append(Entry(token: token, group: group, due: now + HalfOpenConnections.message1Due))
    counts.add(group)
    return evicted
  }

  /// Message 1 of the handshake was answered.
  mutating func progressed(_ token: ConnectionToken, at now: Instant) {
    if let index = indices[token] { entries[index].due = now + HalfOpenConnections.message3Due }
  }

  mutating func remove(_ token: ConnectionToken) {
    guard let index = indices.removeValue(forKey: token) else { return }
    counts.remove(entries[index].group)
    entries.swapAt(index, entries.count - 1)
    entries.removeLast()
    if index < entries.count { indices[entries[index].token] = index }
  }

  /// Takes any one away, for a process that is short of descriptors.
  mutating func takeOne(using generator: inout SeededGenerator, at now: Instant) -> ConnectionToken? {
    take(among: entries, using: &generator, at: now)
  }

  /// Of those that are overdue, if there are any, one of the group that has the most.
  private mutating func take(
    among all: [Entry], using generator: inout SeededGenerator, at now: Instant
  ) -> ConnectionToken? {
    let overdue = all.filter { $0.due <= now }
    let candidates = overdue.isEmpty ? all : overdue
    let most = candidates.reduce(0) { max($0, counts[$1.group]) }
    let token = candidates.filter { counts[$0.group] == most }.randomElement(using: &generator)?.token
    if let token { remove(token) }
    return token
  }
}
