// Which downloads of a node use which of its connections. One connection to a peer carries the contents of all.
import Wire

/// The connections that the downloads of a node dialled or fetch over. Does no I/O and reads no clock.
///
/// Each download numbers its connections itself (`ConnectionID`). A node has one connection to an address, and one to a
/// peer once it knows the peer. Several downloads share it, each for its own content.
public struct SharedConnections: Sendable {
  /// A dial that has waited for room for this long has failed, and the download learns of it.
  public static let waitMax = Duration.seconds(30)

  /// One download's use of a connection.
  public struct Use: Hashable, Sendable {
    public let download: DownloadID
    /// The download's number for the connection.
    public let id: ConnectionID

    public init(_ download: DownloadID, _ id: ConnectionID) { (self.download, self.id) = (download, id) }
  }

  /// The state of a connection that a download asked for.
  public enum Dialled: Hashable, Sendable {
    /// The node dials it now, under this token.
    case dial(ConnectionToken)
    /// The node dials it already, or will when others have ended. `nextUse` returns the use once it is established.
    case waits
    /// It is established. `nextUse` returns the use now, or when the connection has room.
    case stands(ConnectionToken)
  }

  /// The result of a handshake.
  public struct Established: Hashable, Sendable {
    /// The connection of the uses: the new one, or an older one to the same peer.
    public let token: ConnectionToken
    /// Whether the new connection is a duplicate, which the caller closes.
    public let isDuplicate: Bool
  }

  /// A use whose connection is established.
  public struct Connected: Hashable, Sendable {
    public let use: Use
    public let peer: PeerID
    /// How many requests in flight the peer accepts.
    public let requestsMax: Int
    /// The zone that the peer announced.
    public var zone: ZoneName?
  }

  /// The fate of a connection that a download gives up.
  public enum Release: Hashable, Sendable {
    /// Nothing to do: the download still uses it under another number, or it is gone.
    case nothing
    /// Other downloads use it or wait for it. Close only the download's content.
    case giveBack(ConnectionToken)
    /// No download uses it or waits for it any more.
    case unused(ConnectionToken)
  }

  /// The uses of a lost connection.
  public struct Lost: Hashable, Sendable {
    /// Uses whose download learns of the loss.
    public let told: [Use]
    /// Uses that joined another use's connection and got nothing from it. The caller dials again for them.
    public let redialled: [Use]
  }

  /// The address and peer that a use asked for.
  private struct Wish: Sendable {
    let address: PeerAddress
    let pinned: PeerID?
    /// Whether the connection was dialled for this use, or the peer has opened the content on it.
    var isProven: Bool
  }

  private struct Line: Sendable {
    /// The address that was dialled; nil if the peer dialled.
    let address: PeerAddress?
    let pinned: PeerID?
    var peer: PeerID?
    var requestsMax = 0
    var zone: ZoneName?
    /// Uses whose download knows that the connection is established.
    var uses: [Use] = []
    /// Uses that wait until the connection is established or has room, in the order in which they came.
    var queue: [Use] = []
    /// Since when the dial waits for room; nil if it does not wait.
    var waitsSince: Instant?

    var isUnused: Bool { uses.isEmpty && queue.isEmpty }
  }

  private let dialledMax: Int
  private var lines: [ConnectionToken: Line] = [:]
  private var tokens: [Use: ConnectionToken] = [:]
  private var wishes: [Use: Wish] = [:]
  /// The newest dialled connection to each address.
  private var byAddress: [PeerAddress: ConnectionToken] = [:]
  /// One established connection to each peer.
  private var byPeer: [PeerID: ConnectionToken] = [:]
  /// Connections whose dial waits for room, in the order in which they came.
  private var waiting: [ConnectionToken] = []
  private var dialledCount = 0

  /// - `dialledMax`: dialled connections at a time, under way or established. Further dials wait.
  public init(dialledMax: Int) { self.dialledMax = max(1, dialledMax) }

  public var isEmpty: Bool { lines.isEmpty && tokens.isEmpty && wishes.isEmpty }
  /// Returns the connection of a use; nil if it is gone.
  public func token(of use: Use) -> ConnectionToken? { tokens[use] }
  /// Returns all uses that have a connection or wait for it.
  public func uses(of token: ConnectionToken) -> [Use] { lines[token].map { $0.uses + $0.queue } ?? [] }
  /// Returns all uses of a download.
  public func uses(of download: DownloadID) -> [Use] { tokens.keys.filter { $0.download == download } }
  /// Returns the dialled address, and the peer that must answer there. Nil if the peer dialled.
  public func dialled(_ token: ConnectionToken) -> (address: PeerAddress, pinned: PeerID?)? {
    lines[token].flatMap { line in line.address.map { ($0, line.pinned) } }
  }

  // MARK: Coming

  /// Dials an address for a download, or joins a connection to that address.
  /// - `pinned`: the peer that must answer there; nil: any peer.
  /// - `token`: the token of a new connection.
  public mutating func dial(
    _ address: PeerAddress, pinned: PeerID?, for use: Use, token: @autoclosure () -> ConnectionToken, at now: Instant
  ) -> Dialled {
    if let shared = byAddress[address], let line = lines[shared], fits(line, pinned) {
      wishes[use] = Wish(address: address, pinned: pinned, isProven: false)
      enqueue(use, at: shared)
      return line.peer == nil ? .waits : .stands(shared)
    }
    let token = token()
    wishes[use] = Wish(address: address, pinned: pinned, isProven: true)
    lines[token] = Line(address: address, pinned: pinned)
    byAddress[address] = token
    enqueue(use, at: token)
    guard dialledCount < dialledMax else {
      lines[existing: token].waitsSince = now
      waiting.append(token)
      return .waits
    }
    dialledCount += 1
    return .dial(token)
  }

  /// Returns whether a connection leads, or will lead, to the peer that `pinned` asks for.
  private func fits(_ line: Line, _ pinned: PeerID?) -> Bool {
    guard let peer = line.peer else { return line.pinned == pinned }
    return pinned == nil || pinned == peer
  }

  /// Dials the wanted address again, because the connection that the use had joined is lost.
  public mutating func redial(
    _ use: Use, token: @autoclosure () -> ConnectionToken, at now: Instant
  ) -> Dialled? {
    guard let wish = wishes[use] else { return nil }
    return dial(wish.address, pinned: wish.pinned, for: use, token: token(), at: now)
  }

  /// Gives a connection a new token, because its dial failed and is repeated with another cipher.
  public mutating func rename(_ token: ConnectionToken, to new: ConnectionToken) {
    guard let line = lines.removeValue(forKey: token), let address = line.address else { return }
    lines[new] = line
    for use in line.queue { tokens[use] = new }
    if byAddress[address] == token { byAddress[address] = new }
  }

  /// Enters a dialled connection whose handshake is done. Nil if no download wants it any more.
  public mutating func established(
    _ token: ConnectionToken, _ peer: PeerID, requestsMax: Int, zone: ZoneName? = nil
  ) -> Established? {
    guard var line = lines[token], !line.queue.isEmpty else { return nil }
    guard let other = byPeer[peer], other != token, lines[other] != nil else {
      (line.peer, line.requestsMax, line.zone) = (peer, requestsMax, zone)
      lines[token] = line
      byPeer[peer] = token
      return Established(token: token, isDuplicate: false)
    }
    for use in line.queue {
      wishes[use]?.isProven = false
      enqueue(use, at: other)
    }
    lines[existing: token].queue = []
    forget(token)
    return Established(token: other, isDuplicate: true)
  }

  /// Connects the next use that waits for an established connection. Nil if none waits, or if as many contents are in
  /// use on it as the protocol allows.
  public mutating func nextUse(of token: ConnectionToken) -> Connected? {
    guard let line = lines[token], let peer = line.peer, !line.queue.isEmpty,
      Set(line.uses.map(\.download)).count < ProtocolLimits.openFilesMax
    else { return nil }
    let use = lines[existing: token].queue.removeFirst()
    lines[existing: token].uses.append(use)
    return Connected(use: use, peer: peer, requestsMax: line.requestsMax, zone: line.zone)
  }

  /// Notes that the peer has opened the content of a use. From now on its download learns of a loss of the connection.
  public mutating func opened(_ use: Use) { wishes[use]?.isProven = true }

  /// Adds a use of a connection, which may be new, after the peer opened the download's content on it.
  public mutating func joined(
    _ token: ConnectionToken, _ peer: PeerID, requestsMax: Int, zone: ZoneName? = nil, for use: Use
  ) {
    let new = Line(address: nil, pinned: nil, peer: peer, requestsMax: requestsMax, zone: zone)
    lines[token, default: new].uses.append(use)
    tokens[use] = token
    if byPeer[peer] == nil { byPeer[peer] = token }
  }

  private mutating func enqueue(_ use: Use, at token: ConnectionToken) {
    lines[existing: token].queue.append(use)
    tokens[use] = token
  }

  // MARK: Waiting for room

  /// Returns a waiting connection to dial if there is room. The download with the fewest connections comes first.
  public mutating func nextToDial() -> ConnectionToken? {
    guard dialledCount < dialledMax, !waiting.isEmpty else { return nil }
    var counts: [DownloadID: Int] = [:]
    for line in lines.values where line.waitsSince == nil && line.address != nil {
      for download in Set(line.uses.map(\.download)) { counts[download, default: 0] += 1 }
    }
    func count(_ place: Int) -> Int { lines[waiting[place]]?.queue.map { counts[$0.download] ?? 0 }.min() ?? 0 }
    guard let place = waiting.indices.min(by: { count($0) < count($1) }) else { return nil }
    let token = waiting.remove(at: place)
    lines[existing: token].waitsSince = nil
    dialledCount += 1
    return token
  }

  /// A dialled connection to close: no download uses it, and others wait for room. Nil if there is none.
  public var inTheWay: ConnectionToken? {
    waiting.isEmpty ? nil : lines.first { $0.value.isUnused && $0.value.address != nil && $0.value.peer != nil }?.key
  }

  /// When `expire` is due; nil if nothing waits for room.
  public var deadline: Instant? {
    waiting.first.flatMap { lines[$0]?.waitsSince }.map { $0 + SharedConnections.waitMax }
  }

  /// Removes a dial that has waited too long for room. Returns its uses, whose dials have failed. Nil: no dial has.
  public mutating func expire(at now: Instant) -> [Use]? {
    guard let token = waiting.first, let deadline, now >= deadline else { return nil }
    return lost(token, isOwnDoing: false).told
  }

  // MARK: Going

  /// Ends a use, because its download gives the connection up.
  /// - `forgets`: whether the caller closes an unused connection at once, so that no other download may join it.
  public mutating func release(_ use: Use, forgets: Bool) -> Release {
    wishes[use] = nil
    guard let token = tokens.removeValue(forKey: use), lines[token] != nil else { return .nothing }
    lines[existing: token].uses.removeAll { $0 == use }
    lines[existing: token].queue.removeAll { $0 == use }
    let others = lines[existing: token].uses + lines[existing: token].queue
    if others.contains(where: { $0.download == use.download }) { return .nothing }
    guard others.isEmpty else { return .giveBack(token) }
    if lines[existing: token].waitsSince != nil {
      _ = lost(token, isOwnDoing: true)
      return .nothing
    }
    if forgets { forget(token) }
    return .unused(token)
  }

  /// Removes a connection that is lost or could not be dialled.
  /// - `isOwnDoing`: whether this node closed it, so that the loss says nothing about the peer.
  public mutating func lost(_ token: ConnectionToken, isOwnDoing: Bool) -> Lost {
    guard let line = lines[token] else { return Lost(told: [], redialled: []) }
    forget(token)
    lines[token] = nil
    if line.waitsSince != nil { waiting.removeAll { $0 == token } } else if line.address != nil { dialledCount -= 1 }
    var (told, redialled): ([Use], [Use]) = ([], [])
    for use in line.uses + line.queue {
      tokens[use] = nil
      let isDialled = line.peer == nil
      if let wish = wishes[use], isDialled ? isOwnDoing : !wish.isProven {
        redialled.append(use)
      } else {
        wishes[use] = nil
        told.append(use)
      }
    }
    return Lost(told: told, redialled: redialled)
  }

  /// Keeps other downloads from joining the connection.
  private mutating func forget(_ token: ConnectionToken) {
    guard let line = lines[token] else { return }
    if let address = line.address, byAddress[address] == token { byAddress[address] = nil }
    guard let peer = line.peer, byPeer[peer] == token else { return }
    byPeer[peer] = lines.first { $0.key != token && $0.value.peer == peer && !$0.value.isUnused }?.key
  }
}
