// Which inbound connections a node keeps. No host can take all places, and no peer can take many.
import Wire

/// Decides about all connections that a node's listener accepts. Does no I/O and reads no clock. Each call decides
/// about one connection; decisions about other connections come back as orders.
public struct ConnectionAdmission: Sendable {
  /// The verdict on a connection when its handshake is done.
  public enum Verdict: Hashable, Sendable {
    case admitted
    /// All places are taken. The connection may stay until the node has sent it other peers.
    case turnedAway
    /// The places for turned-away connections are taken too.
    case refused
  }

  /// How a connection is used, the least use first. The least used connection is displaced first.
  public enum Use: Int, Comparable, Sendable {
    /// The peer has no file open here.
    case nothingOpen
    /// The peer has a file open, and has asked for nothing for a while.
    case idle
    case busy

    public static func < (a: Use, b: Use) -> Bool { a.rawValue < b.rawValue }
  }

  /// An order to the loop of a connection.
  public enum Order: Hashable, Sendable {
    /// Close a half-open connection without a message: a newcomer gets its place.
    case drop(ConnectionToken)
    /// Close a connection with GOODBYE, code 3: a newcomer gets its place.
    case displace(ConnectionToken)
    /// Send PING, then call `judge`.
    case probe(ConnectionToken)
    /// Close a connection with GOODBYE, code 5: another connection to the same peer stays.
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
    /// Whether both ends announced that the peer intends to have several connections.
    let meansSeveral: Bool
    let isTurnedAway: Bool
    /// The connection's place in the order in which the handshakes ended.
    let number: UInt64
    var use = Use.nothingOpen
    /// The place of the latest change of use in the order of all changes.
    var useNumber: UInt64
    /// Whether a PING was ordered because there is a newer connection to the same peer.
    var isProbed = false
  }

  private struct Lingerer: Sendable {
    let group: AddressGroup
    let hasShakenHands: Bool
  }

  public private(set) var places: ConnectionPlaces
  private var generator: SeededGenerator
  private var halfOpen = HalfOpenConnections()
  /// Connections that were admitted or turned away, and not ordered to close.
  private(set) var entries: [ConnectionToken: Entry] = [:]
  private var admitted = GroupCounts()
  private var turnedAway = GroupCounts()
  private var lingering: [ConnectionToken: Lingerer] = [:]
  /// The connections of each peer, in the order in which their handshakes ended.
  private(set) var byPeer: [PeerID: [ConnectionToken]] = [:]
  private var numbers: UInt64 = 0
  /// Groups that broke the protocol.
  private var breaches = StrangerPace()

  public init(places: ConnectionPlaces, generator: SeededGenerator) {
    self.places = places
    self.generator = generator
  }

  /// How many connections have not finished the handshake.
  public var halfOpenCount: Int { halfOpen.count }
  /// How many connections are admitted.
  public var establishedCount: Int { admitted.total }
  /// Whether few places are left. Then useless connections are closed.
  public var isCrowded: Bool { admitted.total >= places.crowdedFrom }

  /// Returns whether a connection has a place and was not ordered to close.
  public func holdsPlace(_ token: ConnectionToken) -> Bool { entries[token] != nil }

  /// Sets the places for newcomers from now on. No established connection is closed because of it.
  public mutating func change(places: ConnectionPlaces) { self.places = places }

  // MARK: Half-open

  /// Notes that a peer broke the protocol after its handshake.
  public mutating func brokeProtocol(from group: AddressGroup, at now: Instant) { breaches.failed(group, at: now) }

  /// Returns whether newcomers of a group are closed before their handshake, because others of the group broke the
  /// protocol.
  public mutating func isKeptOut(_ group: AddressGroup, at now: Instant) -> Bool {
    guard !breaches.isEmpty else { return false }
    _ = breaches.release(at: now)
    return breaches.isWaiting(group)
  }

  /// Enters an inbound connection. It always gets a place. Returns an order for the connection that loses its place, if
  /// any.
  public mutating func begin(_ token: ConnectionToken, from group: AddressGroup, at now: Instant) -> Order? {
    halfOpen.begin(token, from: group, places: places.halfOpen, using: &generator, at: now).map { .drop($0) }
  }

  /// Notes that message 1 of the handshake was answered.
  public mutating func progressed(_ token: ConnectionToken, at now: Instant) { halfOpen.progressed(token, at: now) }

  // MARK: Established

  /// Decides about a connection whose handshake is done.
  /// - `meansSeveral`: whether both ends have set capability bit 0 on it.
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

  /// Notes the use of an admitted connection.
  public mutating func note(_ token: ConnectionToken, _ use: Use) {
    guard var entry = entries[token], entry.use != use else { return }
    numbers += 1
    (entry.use, entry.useNumber) = (use, numbers)
    entries[token] = entry
  }

  /// Returns the connection that a newcomer displaces. It belongs to the largest group, which has more connections than
  /// the newcomer's group would have. Among its connections the least use goes first: of those that are not busy, the
  /// one that has been so for longest; of the busy ones the newest, which loses the least.
  private func displaceable(for group: AddressGroup, evenBusy: Bool) -> ConnectionToken? {
    guard admitted.most > admitted[group] + 1 else { return evenBusy ? oldestUseless(for: group) : nil }
    var victim: (token: ConnectionToken, entry: Entry)?
    for (token, entry) in entries where !entry.isTurnedAway && admitted[entry.group] == admitted.most {
      if entry.use == .busy && !evenBusy { continue }
      if victim.map({ ConnectionAdmission.goes(entry, before: $0.entry) }) ?? true { victim = (token, entry) }
    }
    return victim?.token
  }

  /// Returns the connection that has had no file open for longest, for the case that many hosts take all places. An
  /// honest peer opens a file within a round trip.
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

  /// Returns the turned-away connection that a newcomer displaces: the oldest of the largest group. The node had the
  /// most time to send other peers on it.
  private func oldestTurnedAway(for group: AddressGroup) -> ConnectionToken? {
    guard turnedAway.most > turnedAway[group] + 1 else { return nil }
    return entries.filter { $0.value.isTurnedAway && turnedAway[$0.value.group] == turnedAway.most }
      .min { $0.value.number < $1.value.number }?.key
  }

  // MARK: Leaving

  /// Asks for a place for a connection that has sent GOODBYE, or the answer to a preamble, and waits for the other end
  /// to close. It gives its other place back. One address group gets at most half of these places. All connections
  /// without a handshake together get at most half, too, because they cost a stranger nothing.
  /// - Returns: whether the connection may wait. If not, close it at once; a reset may then overtake GOODBYE.
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

  /// Forgets a connection that is closed.
  public mutating func end(_ token: ConnectionToken) -> [Order] {
    halfOpen.remove(token)
    lingering[token] = nil
    guard let peer = entries[token]?.peer else { return [] }
    forget(token)
    return probeOldest(of: peer)
  }

  /// Chooses a connection to close, because the system has no descriptor for a newcomer: a half-open one, or else one
  /// that is not busy.
  public mutating func relieve(at now: Instant) -> Order? {
    if let token = halfOpen.takeOne(using: &generator, at: now) { return .drop(token) }
    let victim = entries.filter { $0.value.use < .busy }.min { ConnectionAdmission.goes($0.value, before: $1.value) }?
      .key
    if let victim { forget(victim) }
    return victim.map { .displace($0) }
  }

  /// Frees the place of a connection.
  mutating func forget(_ token: ConnectionToken) {
    guard let entry = entries.removeValue(forKey: token) else { return }
    if entry.isTurnedAway { turnedAway.remove(entry.group) } else { admitted.remove(entry.group) }
    byPeer[existing: entry.peer].removeAll { $0 == token }
    if byPeer[existing: entry.peer].isEmpty { byPeer[entry.peer] = nil }
  }

  mutating func setProbed(_ token: ConnectionToken, _ isProbed: Bool) { entries[token]?.isProbed = isProbed }
}
