// Which downloads of a node use which of its connections: one connection to a peer carries the contents of all of them.
import Wire

/// The connections that the downloads of a node dialled, or fetch over. Does no I/O and reads no clock.
///
/// Each download gives its connections names of its own (`ConnectionID`). A node has one connection to an address, and
/// one to a peer as far as it knows the peer. Several downloads use it side by side, each for its own content.
public struct SharedConnections: Sendable {
  /// A dial that has waited for room for so long has failed: the download hears of it.
  public static let waitMax = Duration.seconds(30)

  /// One download's use of a connection.
  public struct Use: Hashable, Sendable {
    public let download: DownloadID
    /// The name that the download knows the connection by.
    public let id: ConnectionID

    public init(_ download: DownloadID, _ id: ConnectionID) { (self.download, self.id) = (download, id) }
  }

  /// The state of a connection that a download asked for.
  public enum Dialled: Hashable, Sendable {
    /// The node dials it now, under this token.
    case dial(ConnectionToken)
    /// The node dials it already, or will when others have ended. `nextUse` gives the use once it stands.
    case waits
    /// It stands already. `nextUse` gives the use now, or when there is room on it.
    case stands(ConnectionToken)
  }

  /// The result of a handshake.
  public struct Established: Hashable, Sendable {
    /// The connection that the uses now have: the new one, or an older one to the same peer.
    public let token: ConnectionToken
    /// The new connection is one too many, and is closed.
    public let isDuplicate: Bool
  }

  /// A download is connected.
  public struct Connected: Hashable, Sendable {
    public let use: Use
    public let peer: PeerID
    /// Requests that the peer accepts in flight.
    public let requestsMax: Int
    /// The zone that the peer announced.
    public var zone: ZoneName?
  }

  /// The fate of a connection that a download gives up.
  public enum Release: Hashable, Sendable {
    /// Nothing changes: the download uses it under another name as well, or it is gone.
    case nothing
    /// Other downloads use it or wait for it. The download's content is given back.
    case giveBack(ConnectionToken)
    /// No download uses it any more, and none waits for it.
    case unused(ConnectionToken)
  }

  /// The uses of a connection that is gone.
  public struct Lost: Hashable, Sendable {
    /// Those that hear of it.
    public let told: [Use]
    /// Those that came to it while others used it, and have nothing of it yet: they dial for themselves.
    public let redialled: [Use]
  }

  /// What a use was dialled for.
  private struct Wish: Sendable {
    let address: PeerAddress
    let pinned: PeerID?
    /// The connection was dialled for this use, or the peer has opened the content on it.
    var isProven: Bool
  }

  private struct Line: Sendable {
    /// Nil if the peer dialled.
    let address: PeerAddress?
    let pinned: PeerID?
    var peer: PeerID?
    var requestsMax = 0
    var zone: ZoneName?
    /// Downloads that know that it stands.
    var uses: [Use] = []
    /// Downloads that wait until it stands, or until there is room on it, in the order in which they came.
    var queue: [Use] = []
    /// Since when it waits for room to be dialled; nil if it does not.
    var waitsSince: Instant?

    var isUnused: Bool { uses.isEmpty && queue.isEmpty }
  }

  private let dialledMax: Int
  private var lines: [ConnectionToken: Line] = [:]
  private var tokens: [Use: ConnectionToken] = [:]
  private var wishes: [Use: Wish] = [:]
  /// Of those that were dialled: the newest for each address.
  private var byAddress: [PeerAddress: ConnectionToken] = [:]
  /// Of those whose handshake is done: one for each peer.
  private var byPeer: [PeerID: ConnectionToken] = [:]
  /// Those that wait for room, in the order in which they came.
  private var waiting: [ConnectionToken] = []
  private var dialledCount = 0

  /// - `dialledMax`: connections that are dialled and stand at a time. Further ones wait.
  public init(dialledMax: Int) { self.dialledMax = max(1, dialledMax) }

  public var isEmpty: Bool { lines.isEmpty && tokens.isEmpty && wishes.isEmpty }
  /// The connection that a download means; nil if it is gone.
  public func token(of use: Use) -> ConnectionToken? { tokens[use] }
  /// All that use a connection or wait for it.
  public func uses(of token: ConnectionToken) -> [Use] { lines[token].map { $0.uses + $0.queue } ?? [] }
  /// All uses of a download.
  public func uses(of download: DownloadID) -> [Use] { tokens.keys.filter { $0.download == download } }
  /// The address that was dialled, and the peer that must answer there.
  public func dialled(_ token: ConnectionToken) -> (address: PeerAddress, pinned: PeerID?)? {
    lines[token].flatMap { line in line.address.map { ($0, line.pinned) } }
  }

  // MARK: Coming

  /// A download dials an address.
  /// - `pinned`: the peer that must answer there; nil: any.
  /// - `token`: for a new connection.
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

  /// Whether a connection is what a dial with this pin would give.
  private func fits(_ line: Line, _ pinned: PeerID?) -> Bool {
    guard let peer = line.peer else { return line.pinned == pinned }
    return pinned == nil || pinned == peer
  }

  /// A download dials again what it wished for, since the connection that it came to is gone.
  public mutating func redial(
    _ use: Use, token: @autoclosure () -> ConnectionToken, at now: Instant
  ) -> Dialled? {
    guard let wish = wishes[use] else { return nil }
    return dial(wish.address, pinned: wish.pinned, for: use, token: token(), at: now)
  }

  /// A dial has failed and is repeated under a new token, with another cipher.
  public mutating func rename(_ token: ConnectionToken, to new: ConnectionToken) {
    guard let line = lines.removeValue(forKey: token), let address = line.address else { return }
    lines[new] = line
    for use in line.queue { tokens[use] = new }
    if byAddress[address] == token { byAddress[address] = new }
  }

  /// The handshake of a connection that was dialled is done. Nil: no download wants it any more.
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

  /// The next download that waits for a connection that stands: it is connected now. Nil if none waits, or if as many
  /// contents as the protocol allows are in use on it.
  public mutating func nextUse(of token: ConnectionToken) -> Connected? {
    guard let line = lines[token], let peer = line.peer, !line.queue.isEmpty,
      Set(line.uses.map(\.download)).count < ProtocolLimits.openFilesMax
    else { return nil }
    let use = lines[existing: token].queue.removeFirst()
    lines[existing: token].uses.append(use)
    return Connected(use: use, peer: peer, requestsMax: line.requestsMax, zone: line.zone)
  }

  /// The peer has opened the content of a use: from now on the loss of the connection is the download's loss.
  public mutating func opened(_ use: Use) { wishes[use]?.isProven = true }

  /// A peer has opened the content of a download, on a connection that may be in use already.
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

  /// A connection that waited and that there is room for now: it is dialled. The download with the fewest connections
  /// comes first.
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

  /// A dialled connection that no download uses, while others wait for room: it is closed.
  public var inTheWay: ConnectionToken? {
    waiting.isEmpty ? nil : lines.first { $0.value.isUnused && $0.value.address != nil && $0.value.peer != nil }?.key
  }

  /// When `expire` is due; nil if nothing waits for room.
  public var deadline: Instant? {
    waiting.first.flatMap { lines[$0]?.waitsSince }.map { $0 + SharedConnections.waitMax }
  }

  /// A connection that has waited for room for too long. Returns its uses: their dials have failed. Nil: none has.
  public mutating func expire(at now: Instant) -> [Use]? {
    guard let token = waiting.first, let deadline, now >= deadline else { return nil }
    return lost(token, isOwnDoing: false).told
  }

  // MARK: Going

  /// A download gives a connection up.
  /// - `forgets`: whether a connection that is then unused closes at once, so that no other download comes to use it.
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

  /// A connection is gone, or could not be dialled.
  /// - `isOwnDoing`: this node closed it, so that the end says nothing about the peer.
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

  /// No other download comes to use the connection.
  private mutating func forget(_ token: ConnectionToken) {
    guard let line = lines[token] else { return }
    if let address = line.address, byAddress[address] == token { byAddress[address] = nil }
    guard let peer = line.peer, byPeer[peer] == token else { return }
    byPeer[peer] = lines.first { $0.key != token && $0.value.peer == peer && !$0.value.isUnused }?.key
  }
}
