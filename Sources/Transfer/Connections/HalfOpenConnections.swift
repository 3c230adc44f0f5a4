// Connections that have not finished the handshake. A newcomer always gets a place; if all are taken, another one loses
// its place.

/// The half-open connections of a node. The connection that loses its place is drawn at random: under a predictable
/// rule, such as "the oldest loses", a flood would end every handshake that takes longer than the flood needs to fill
/// the places. Connections whose next message is overdue lose first, which protects honest peers from a flood that does
/// not shake hands.
struct HalfOpenConnections: Sendable {
  /// The dialer sends message 1 as soon as it is connected, so the message is overdue this soon. Even a node under load
  /// reads it within that time.
  static let message1Due = Duration.milliseconds(100)
  /// Message 3 is overdue this long after message 2 was sent: a round trip on a bad path.
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

  /// Enters a newcomer. Returns the connection that loses its place to the newcomer, if any.
  /// - `places`: how many connections may be half-open; one address group gets at most half of them.
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

  /// Notes that message 1 of the handshake was answered.
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

  /// Removes and returns a connection, because the process is short of descriptors.
  mutating func takeOne(using generator: inout SeededGenerator, at now: Instant) -> ConnectionToken? {
    take(among: entries, using: &generator, at: now)
  }

  /// Removes and returns one of the overdue connections, if there are any, else one of all: a random one of the largest
  /// group among them.
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
