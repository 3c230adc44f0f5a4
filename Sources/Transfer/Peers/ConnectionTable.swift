// The connections of a download by id. Values that every event reads for every peer are read in place, without a copy.
import Content
import Wire

/// A connection that the download has lost.
struct LostConnection: Sendable {
  let id: ConnectionID
  let peer: PeerID
  let address: PeerAddress?
  let group: AddressGroup?
}

/// An array with accessors for parts of a connection. To read a part of a value in a dictionary copies the whole value,
/// which is large here.
struct ConnectionTable: Sendable {
  /// How many lost connections are remembered: their last blocks may not be verified yet.
  static let lostMax = 256

  private var connections: [Connection] = []
  /// The ids of the connections, at the same places.
  private var ids: [ConnectionID] = []
  private var places: [ConnectionID: Int] = [:]
  /// The connections whose handshake is done.
  private var byPeer: [PeerID: ConnectionID] = [:]
  /// The number of the next connection that is dialled.
  private var nextID: UInt64 = 1
  /// The connections that were lost last.
  private(set) var lost: [LostConnection] = []

  var count: Int { connections.count }
  var isEmpty: Bool { connections.isEmpty }
  /// Whether peers dialled all connections.
  var areAllInbound: Bool { ids.allSatisfy { $0 >= ConnectionID.firstInbound } }
  var isAnyInbound: Bool { ids.contains { $0 >= ConnectionID.firstInbound } }
  /// Whether peers dialled all established connections.
  var isNoAnswerDue: Bool { connections.allSatisfy { $0.origin == .inbound || $0.phase == .dialing } }
  /// The address of the first dial that is under way.
  var firstDialled: PeerAddress? { connections.first { $0.phase == .dialing }?.address }

  /// Nil if there is no such connection. Setting nil removes it.
  subscript(id: ConnectionID) -> Connection? {
    get { places[id].map { connections[$0] } }
    set {
      switch (places[id], newValue) {
      case (let place?, let connection?): connections[place] = connection
      case (nil, let connection?): append(id, connection)
      case (let place?, nil): remove(at: place)
      case (nil, nil): break
      }
    }
  }

  /// A connection that another part of the download's state proves to be here. It is read and changed in place.
  subscript(existing id: ConnectionID) -> Connection {
    _read { yield connections[places[existing: id]] }
    _modify { yield &connections[places[existing: id]] }
  }

  /// Changes a connection in place. Nil if there is no such connection, or if `change` returns nil.
  mutating func modify<Result>(_ id: ConnectionID, _ change: (inout Connection) -> Result?) -> Result? {
    guard let place = places[id] else { return nil }
    return change(&connections[place])
  }

  /// Returns the connection to a peer.
  func id(of peer: PeerID) -> ConnectionID? { byPeer[peer] }

  /// Adds a connection that is dialled. Returns its id.
  mutating func add(_ connection: Connection) -> ConnectionID {
    defer { nextID += 1 }
    append(ConnectionID(nextID), connection)
    return ConnectionID(nextID)
  }

  /// Notes that the handshake of a connection is done. There must be no other connection to the peer.
  mutating func connected(_ id: ConnectionID, as peer: PeerID, requestsMax: Int) {
    byPeer[peer] = id
    self[existing: id].connected(as: peer, requestsMax: requestsMax)
  }

  mutating func remove(_ id: ConnectionID) -> Connection? {
    guard let place = places[id] else { return nil }
    let connection = connections[place]
    if let peer = connection.peerID, byPeer[peer] == id { byPeer[peer] = nil }
    remove(at: place)
    return connection
  }

  /// Remembers a connection that ends, because blocks of it may still wait to be verified.
  mutating func remember(_ id: ConnectionID, _ connection: Connection) {
    guard let peer = connection.peerID else { return }
    if lost.count == ConnectionTable.lostMax { lost.removeFirst() }
    lost.append(LostConnection(id: id, peer: peer, address: connection.address, group: connection.group))
  }

  // MARK: Parts

  func peer(of id: ConnectionID) -> Int? { places[id].flatMap { connections[$0].peer } }
  func isProven(_ id: ConnectionID) -> Bool { places[id].map { connections[$0].isProven } ?? false }
  func requestsMax(of id: ConnectionID) -> Int { places[id].map { connections[$0].requestsMax } ?? 0 }
  func pendingCount(of id: ConnectionID) -> Int { places[id].map { connections[$0].pending.count } ?? 0 }
  func isPending(_ request: RequestID, on id: ConnectionID) -> Bool {
    place(of: request, on: id) != nil
  }
  /// Returns the place of a request among the pending ones of a connection.
  func place(of request: RequestID, on id: ConnectionID) -> Int? {
    places[id].flatMap { connections[$0].place(of: request) }
  }
  /// Returns the place of the request whose bytes are due now.
  func firstInLine(on id: ConnectionID) -> Int? { places[id].flatMap { connections[$0].firstInLine } }
  /// Returns the page that was requested on the connection and has not come.
  func page(of id: ConnectionID) -> PageIndex? { places[id].flatMap { connections[$0].page } }
  func hasPage(_ id: ConnectionID) -> Bool { page(of: id) != nil }
  /// Returns the chunks that the peer has. Nil if the peer has not opened the file.
  func availability(of id: ConnectionID) -> RemoteAvailability? { places[id].flatMap { connections[$0].availability } }
  func has(_ chunk: ChunkIndex, on id: ConnectionID) -> Bool {
    places[id].map { connections[$0].availability?.has(chunk) == true } ?? false
  }
  /// Returns the leaves of a chunk that the peer has, bit 0 the first (`RemoteAvailability.leaves`).
  func leaves(of chunk: ChunkIndex, on id: ConnectionID) -> UInt64 {
    places[id].flatMap { connections[$0].availability?.leaves(of: chunk) } ?? 0
  }

  /// Returns since when the first request in line has waited for its first byte. Nil if none waits or bytes came.
  /// - `othersMax`: as in `PendingRequest.dueSince`.
  func silentSince(_ id: ConnectionID, othersMax: Duration) -> Instant? {
    guard let place = places[id], let first = connections[place].firstInLine else { return nil }
    let pending = connections[place].pending[first]
    return pending.began == nil && pending.verified == 0 ? pending.dueSince(othersMax: othersMax) : nil
  }
  /// Returns since when the answer to the first request in line is due (`PendingRequest.dueSince`).
  func firstDueSince(_ id: ConnectionID, othersMax: Duration) -> Instant? {
    guard let place = places[id], let first = connections[place].firstInLine else { return nil }
    return connections[place].pending[first].dueSince(othersMax: othersMax)
  }
  /// Returns when the missing page was requested on the connection. Nil if none was.
  func pageAskedAt(_ id: ConnectionID) -> Instant? {
    places[id].flatMap { connections[$0].page == nil ? nil : connections[$0].pageAskedAt }
  }
  /// Returns the lowest chunk from `start` on that the peer has whole or in part.
  func firstHeld(from start: Int, layout: ChunkLayout, on id: ConnectionID) -> Int? {
    places[id].flatMap { connections[$0].availability?.first(from: start, layout: layout) }
  }

  /// Returns the first connection that matches.
  func first(where matches: (borrowing Connection) -> Bool) -> ConnectionID? {
    for place in connections.indices where matches(connections[place]) { return ids[place] }
    return nil
  }

  /// Calls `body` for each connection.
  func forEach(_ body: (ConnectionID, borrowing Connection) -> Void) {
    for place in connections.indices { body(ids[place], connections[place]) }
  }

  /// Returns the sum of `part` over all connections.
  func sum(_ part: (borrowing Connection) -> Int) -> Int {
    var sum = 0
    for place in connections.indices { sum += part(connections[place]) }
    return sum
  }

  private mutating func append(_ id: ConnectionID, _ connection: Connection) {
    places[id] = connections.count
    connections.append(connection)
    ids.append(id)
  }

  private mutating func remove(at place: Int) {
    places[ids[place]] = nil
    let last = connections.count - 1
    connections.swapAt(place, last)
    ids.swapAt(place, last)
    if place != last { places[ids[place]] = place }
    connections.removeLast()
    ids.removeLast()
  }
}
