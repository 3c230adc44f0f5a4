// Which addresses a download dials, and which connection closes to make room for a named address.
import Content
import Wire

extension DownloadState {
  /// With this many connections a download that shares dials no more hints: the other places are for peers that dial
  /// it.
  public static let hintedConnectionsMax = 16
  /// How many places strangers must leave free while addresses that the user named are not connected.
  static let namedConnectionsReserved = 8

  /// Whether hints are dialled. Without a usable peer they always are.
  private var followsHints: Bool {
    !settings.shares || connections.count < DownloadState.hintedConnectionsMax || timers[.noPeers] != nil
      || waiting.lacksPeers
  }

  /// How many peers may dial this download, so that it has room to dial others.
  private var inboundConnectionsMax: Int {
    settings.connectionsMax - min(DownloadState.hintedConnectionsMax, settings.connectionsMax / 2)
  }

  /// How many connections there may be besides those that are reserved for addresses that the user named.
  private var unreservedConnectionsMax: Int {
    let reserved = min(DownloadState.namedConnectionsReserved, book.namedAbsentCount, settings.connectionsMax / 2)
    return settings.connectionsMax - reserved
  }

  private var inboundCount: Int { connections.sum { $0.origin == .inbound ? 1 : 0 } }
  private var dialsUnderWay: Int { connections.sum { $0.phase == .dialing ? 1 : 0 } }
  /// How many dials of strangers may be under way, so that hanging ones leave room for dials of named addresses.
  private var strangerDialsMax: Int { max(1, settings.dialsMax * 3 / 4) }

  private var canDialNamed: Bool {
    dialsUnderWay < settings.dialsMax && (connections.count < settings.connectionsMax || displaceable() != nil)
  }
  private var canDialOthers: Bool { connections.count < unreservedConnectionsMax && dialsUnderWay < strangerDialsMax }

  /// When there may be an address to dial.
  var dialDeadline: Instant? {
    var deadline: Instant?
    if let named = book.namedDeadline, canDialNamed { deadline = named }
    guard book.deadline != nil || book.hasHints, canDialOthers else { return deadline }
    if let other = book.deadline { deadline = min(deadline ?? other, other) }
    if followsHints, let hint = book.hintDeadline { deadline = min(deadline ?? hint, hint) }
    return deadline
  }

  mutating func dial(at now: Instant) {
    guard let due = dialDeadline, due <= now else { return }
    while let named = book.namedDeadline, named <= now, canDialNamed {
      if connections.count >= settings.connectionsMax, let stranger = displaceable() { displace(stranger, at: now) }
      guard let (address, pinned) = book.nextNamedDial(at: now) else { break }
      dial(address, pinned, origin: .named)
    }
    while canDialOthers, let (address, pinned) = book.nextDial(at: now, followsHints: followsHints) {
      dial(address, pinned, origin: .dialled)
    }
  }

  private mutating func dial(_ address: PeerAddress, _ pinned: PeerID?, origin: PeerOrigin) {
    let id = connections.add(Connection(dialling: address, origin: origin))
    act(.dial(address, pinned: pinned, id))
  }

  // MARK: Room

  /// Adds a connection that a peer dialled. False if there is no room for it.
  mutating func admitInbound(_ id: ConnectionID, from ip: [UInt8]?, at now: Instant) -> Bool {
    let connection = Connection(from: ip)
    if connections.count >= unreservedConnectionsMax || inboundCount >= inboundConnectionsMax {
      // If one host has many connections, one of them makes room for another host.
      guard let stranger = displaceable(for: connection) else { return false }
      displace(stranger, at: now)
    }
    connections[id] = connection
    return true
  }

  /// Returns the connection of a stranger to close to make room: inbound ones first, then those of the address group
  /// with the most connections.
  /// - `newcomer`: an inbound connection that needs the room. Only another inbound connection closes for it, of a group
  ///   with at least two more connections.
  private func displaceable(for newcomer: Connection? = nil) -> ConnectionID? {
    var counts: [AddressGroup?: Int] = [:]
    connections.forEach { _, connection in if connection.origin != .named { counts[connection.group, default: 0] += 1 }
    }
    let countMin = newcomer.map { (counts[$0.group] ?? 0) + 2 }
    var best: (id: ConnectionID, rank: (Int, Int, UInt64))?
    connections.forEach { id, connection in
      let isStranger = connection.peer.map { peers[$0].isStranger } ?? (connection.origin != .named)
      let isInbound = connection.origin == .inbound
      let count = counts[connection.group] ?? 0
      guard isStranger, countMin.map({ isInbound && count >= $0 }) ?? true else { return }
      let rank = (isInbound ? 1 : 0, count, id.rawValue)
      if best.map({ rank > $0.rank }) ?? true { best = (id, rank) }
    }
    return best?.id
  }

  private mutating func displace(_ id: ConnectionID, at now: Instant) {
    guard let connection = connections[id] else { return }
    act(.disconnect(id, .done))
    letGo(id, .lost(.connection(.closed)), at: now)
    // The address may be dialled again when there is room.
    if connection.phase != .open, let address = connection.address {
      book.ended(address, .lost(.connection(.closed)), at: now)
    }
  }
}
