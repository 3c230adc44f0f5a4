// Which inbound connections a node keeps: no host takes the places of all others, and no peer takes many.
import Wire

/// Decides for all connections that a node's listener accepts. Does no I/O and reads no clock. What it decides about other
/// connections than the one that it was asked about comes back as orders.
public struct ConnectionAdmission: Sendable {
  /// The verdict on a connection when its handshake is done.
  public enum Verdict: Hashable, Sendable {
    case admitted
    /// All places are taken. It may stay for as long as it takes to be told of other peers.
    case turnedAway
    /// There is no place for it even among those.
    case refused
  }

  /// What a connection is good for, from the least on: the least is displaced first.
  public enum Use: Int, Comparable, Sendable {
    /// The peer has no file open here.
    case nothingOpen
    /// A file is open, and the peer has asked for nothing for a while.
    case idle
    case busy

    public static func < (a: Use, b: Use) -> Bool { a.rawValue < b.rawValue }
  }

  /// An order to the loop of a connection.
  public enum Order: Hashable, Sendable {
    /// A half-open connection goes for a newcomer, without a word.
    case drop(ConnectionToken)
    /// A connection goes for a newcomer: GOODBYE with code 3.
    case displace(ConnectionToken)
    /// Send PING, and report what came of it to `judge`.
    case probe(ConnectionToken)
    /// Of two connections to one peer the other stays: GOODBYE with code 5.
    case closeDuplicate(ConnectionToken)

    public var token: ConnectionToken {
      switch self {
      case .drop(let token), .displace(let token), .probe(let token), .closeDuplicate(let token): token
      }
    }
  }

  struct Entry: Sendable {
    let group: AddressGroup
    let peer: PeerID
    /// Both ends have said that several connections of the peer are meant.
    let meansSeveral: Bool
    let isTurnedAway: Bool
    /// Counts the connections in the order in which their handshakes were done.
    let number: UInt64
    var use = Use.nothingOpen
    /// Counts the changes of use in their order.
    var useNumber: UInt64
    /// A PING was sent, since there is a newer connection to the same peer.
    var isProbed = false
  }

  private struct Lingerer: Sendable {
    let group: AddressGroup
    let hasShakenHands: Bool
  }

  public private(set) var places: ConnectionPlaces
  private var generator: SeededGenerator
  private var halfOpen = HalfOpenConnections()
  /// Those that are admitted or turned away, and not told to go.
  private(set) var entries: [ConnectionToken: Entry] = [:]
  private var admitted = GroupCounts()
  private var turnedAway = GroupCounts()
  private var lingering: [ConnectionToken: Lingerer] = [:]
  /// Of each peer, in the order in which their handshakes were done.
  private(set) var byPeer: [PeerID: [ConnectionToken]] = [:]
  private var numbers: UInt64 = 0
  /// Groups that broke the protocol.
  private var breaches = StrangerPace()

  public init(places: ConnectionPlaces, generator: SeededGenerator) {
    self.places = places
    self.generator = generator
  }

  /// Connections that have not finished the handshake.
  public var halfOpenCount: Int { halfOpen.count }
  /// Connections that are admitted.
  public var establishedCount: Int { admitted.total }
  /// Whether places are few: then connections that are good for nothing have to go.
  public var isCrowded: Bool { admitted.total >= places.crowdedFrom }

  /// Whether a connection has a place, and was not told to give it up.
  public func holdsPlace(_ token: ConnectionToken) -> Bool { entries[token] != nil }

  /// Newcomers are held against these places from now on. No connection has to go for it.
  public mutating func change(places: ConnectionPlaces) { self.places = places }

  // MARK: Half-open

  /// A peer broke the protocol on a connection that its handshake had cost.
  public mutating func brokeProtocol(from group: AddressGroup, at now: Instant) { breaches.failed(group, at: now) }

  /// Whether newcomers of a group are closed before their handshake, since others of it broke the protocol.
  public mutating func isKeptOut(_ group: AddressGroup, at now: Instant) -> Bool {
    guard !breaches.isEmpty else { return false }
    _ = breaches.release(at: now)
    return breaches.isWaiting(group)
  }

  /// A connection came in. A place is always found for it.
  public mutating func begin(_ token: ConnectionToken, from group: AddressGroup, at now: Instant) -> Order? {
    halfOpen.begin(token, from: group, places: places.halfOpen, using: &generator, at: now).map { .drop($0) }
  }

  /// Message 1 of its handshake was answered.
  public mutating func progressed(_ token: ConnectionToken, at now: Instant) { halfOpen.progressed(token, at: now) }

  // MARK: Established

  /// The handshake of a connection is done.
  /// - `meansSeveral`: both ends have set capability bit 0 on it.
  public mutating func establish(
    _ token: ConnectionToken, from group: AddressGroup, as peer: PeerID, meansSeveral: Bool
  ) -> (verdict: Verdict, orders: [Order]) {
    halfOpen.remove(token)
    guard byPeer[peer, default: []].count < ProtocolLimits.connectionsPerPeerMax else { return (.refused, []) }
    var orders: [Order] = []
    let isFull = admitted.total >= places.established
    if admitted.total + 1 > places.crowdedFrom, let victim = displaceable(for: group, evenBusy: isFull) {
      forget(victim)
      orders.append(.displace(victim))
    }
    let isAdmitted = admitted.total < places.established
    if !isAdmitted, turnedAway.total >= places.turnedAway {
      guard let victim = oldestTurnedAway(for: group) else { return (.refused, orders) }
      forget(victim)
      orders.append(.displace(victim))
    }
    numbers += 1
    entries[token] = Entry(
      group: group, peer: peer, meansSeveral: meansSeveral, isTurnedAway: !isAdmitted, number: numbers,
      useNumber: numbers)
    byPeer[peer, default: []].append(token)
    if isAdmitted { admitted.add(group) } else { turnedAway.add(group) }
    return (isAdmitted ? .admitted : .turnedAway, orders + probeOldest(of: peer))
  }

  /// What an admitted connection is good for has changed.
  public mutating func note(_ token: ConnectionToken, _ use: Use) {
    guard var entry = entries[token], entry.use != use else { return }
    numbers += 1
    (entry.use, entry.useNumber) = (use, numbers)
    entries[token] = entry
  }

  /// The connection that goes for a newcomer: one of a group that has more than the newcomer's would have. Of those that
  /// are good for little the one that is so for longest; of the busy ones the newest, which loses the least.
  private func displaceable(for group: AddressGroup, evenBusy: Bool) -> ConnectionToken? {
    guard admitted.most > admitted[group] + 1 else { return evenBusy ? oldestUseless(for: group) : nil }
    var victim: (token: ConnectionToken, entry: Entry)?
    for (token, entry) in entries where !entry.isTurnedAway && admitted[entry.group] == admitted.most {
      if entry.use == .busy && !evenBusy { continue }
      if victim.map({ ConnectionAdmission.goes(entry, before: $0.entry) }) ?? true { victim = (token, entry) }
    }
    return victim?.token
  }

  /// Where all places are taken by many hosts: the connection that has had no file open for longest. An honest peer opens
  /// one within a round trip.
  private func oldestUseless(for group: AddressGroup) -> ConnectionToken? {
    entries.filter {
      $0.value.use == .nothingOpen && !$0.value.isTurnedAway && admitted[$0.value.group] > admitted[group]
    }
    .min { $0.value.useNumber < $1.value.useNumber }?.key
  }

  private static func goes(_ a: Entry, before b: Entry) -> Bool {
    if a.use != b.use { return a.use < b.use }
    return a.use == .busy ? a.number > b.number : a.useNumber < b.useNumber
  }

  /// The same among the few that are turned away: the oldest had the most time to be told of other peers.
  private func oldestTurnedAway(for group: AddressGroup) -> ConnectionToken? {
    guard turnedAway.most > turnedAway[group] + 1 else { return nil }
    return entries.filter { $0.value.isTurnedAway && turnedAway[$0.value.group] == turnedAway.most }
      .min { $0.value.number < $1.value.number }?.key
  }

  // MARK: Leaving

  /// GOODBYE has left, or the answer to a preamble, and the connection waits for the other end to close: it takes no place
  /// of the others meanwhile. One address group waits in half of the places at most. So do all connections without a
  /// handshake: they cost a stranger nothing.
  /// - Returns: whether there is a place for it to wait; if not, it is closed at once, and a reset may overtake GOODBYE.
  public mutating func linger(
    _ token: ConnectionToken, from group: AddressGroup, hasShakenHands: Bool
  ) -> (isGranted: Bool, orders: [Order]) {
    let orders = end(token)
    let half = max(1, places.lingering / 2)
    guard lingering.count < places.lingering, lingering.values.count(where: { $0.group == group }) < half,
      hasShakenHands || lingering.values.count(where: { !$0.hasShakenHands }) < half
    else { return (false, orders) }
    lingering[token] = Lingerer(group: group, hasShakenHands: hasShakenHands)
    return (true, orders)
  }

  /// The connection is gone.
  public mutating func end(_ token: ConnectionToken) -> [Order] {
    halfOpen.remove(token)
    lingering[token] = nil
    guard let peer = entries[token]?.peer else { return [] }
    forget(token)
    return probeOldest(of: peer)
  }

  /// The system has no descriptor for a newcomer, so the places are more than there is room for: one connection goes, a
  /// half-open one or one that is good for little.
  public mutating func relieve(at now: Instant) -> Order? {
    if let token = halfOpen.takeOne(using: &generator, at: now) { return .drop(token) }
    let victim = entries.filter { $0.value.use < .busy }.min { ConnectionAdmission.goes($0.value, before: $1.value) }?
      .key
    if let victim { forget(victim) }
    return victim.map { .displace($0) }
  }

  /// Gives the place of a connection back.
  mutating func forget(_ token: ConnectionToken) {
    guard let entry = entries.removeValue(forKey: token) else { return }
    if entry.isTurnedAway { turnedAway.remove(entry.group) } else { admitted.remove(entry.group) }
    byPeer[existing: entry.peer].removeAll { $0 == token }
    if byPeer[existing: entry.peer].isEmpty { byPeer[entry.peer] = nil }
  }

  mutating func setProbed(_ token: ConnectionToken, _ isProbed: Bool) { entries[token]?.isProbed = isProbed }
}
