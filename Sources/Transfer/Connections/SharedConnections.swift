// Which downloads of a node use which of its connections: one connection to a peer carries the contents of all of them.
import Wire

/// The connections that the downloads of a node dialled, or fetch over. Does no I/O and reads no clock.
///
/// Each download gives its connections names of its own (`ConnectionID`). A node has one connection to an address, and
/// one to a peer as far as it knows the peer. Several downloads use it side by side, each for its own content.
public struct SharedConnections: Sendable {
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
  }

  /// The fate of a connection that a download gives up.
  public enum Release: Hashable, Sendable {
    /// Nothing changes: the download uses it under another name as well, or it is gone.
    case nothing
    /// Other downloads use it. The download's content is given back.
    case giveBack(ConnectionToken)
    /// No download uses it any more.
    case unused(ConnectionToken)
  }

  private struct Line: Sendable {
    /// Nil if the peer dialled.
    let address: PeerAddress?
    let pinned: PeerID?
    var peer: PeerID?
    var requestsMax = 0
    /// Downloads that know that it stands.
    var uses: [Use] = []
    /// Downloads that wait until it stands, or until there is room on it, in the order in which they came.
    var queue: [Use] = []
    /// It waits until there is room to dial it.
    var isWaiting = false
  }

  private let dialledMax: Int
  private var lines: [ConnectionToken: Line] = [:]
  private var tokens: [Use: ConnectionToken] = [:]
  /// Of those that were dialled and are in use: the newest for each address.
  private var byAddress: [PeerAddress: ConnectionToken] = [:]
  /// Of those in use whose handshake is done: one for each peer.
  private var byPeer: [PeerID: ConnectionToken] = [:]
  private var waiting: [ConnectionToken] = []
  private var dialledCount = 0

  /// - `dialledMax`: connections that are dialled and stand at a time. Further ones wait.
  public init(dialledMax: Int) { self.dialledMax = max(1, dialledMax) }

  public var isEmpty: Bool { lines.isEmpty }
  /// The connection that a download means; nil if it is gone.
  public func token(of use: Use) -> ConnectionToken? { tokens[use] }
  /// The peer of a connection whose handshake is done.
  public func peer(of token: ConnectionToken) -> PeerID? { lines[token]?.peer }
  /// All that use it or wait for it.
  public func uses(of token: ConnectionToken) -> [Use] { lines[token].map { $0.uses + $0.queue } ?? [] }
  /// The address that was dialled.
  public func address(of token: ConnectionToken) -> PeerAddress? { lines[token]?.address }
  /// The peer that must answer there.
  public func pinned(of token: ConnectionToken) -> PeerID? { lines[token]?.pinned }

  // MARK: Coming

  /// A download dials an address.
  /// - `pinned`: the peer that must answer there; nil: any.
  /// - `token`: for a new connection.
  public mutating func dial(
    _ address: PeerAddress, pinned: PeerID?, for use: Use, token: @autoclosure () -> ConnectionToken
  ) -> Dialled {
    if let shared = byAddress[address], let line = lines[shared], fits(line, pinned) {
      enqueue(use, at: shared)
      return line.peer == nil ? .waits : .stands(shared)
    }
    let token = token()
    let isFull = dialledCount >= dialledMax
    lines[token] = Line(address: address, pinned: pinned, queue: [use], isWaiting: isFull)
    tokens[use] = token
    byAddress[address] = token
    if isFull {
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

  /// A connection that waited and that there is room for now: it is dialled.
  public mutating func nextToDial() -> ConnectionToken? {
    guard dialledCount < dialledMax, !waiting.isEmpty else { return nil }
    let token = waiting.removeFirst()
    lines[existing: token].isWaiting = false
    dialledCount += 1
    return token
  }

  /// A dial has failed and is repeated under a new token, with another cipher.
  public mutating func redial(_ token: ConnectionToken, as new: ConnectionToken) {
    guard let line = lines.removeValue(forKey: token), let address = line.address else { return }
    lines[new] = line
    for use in line.queue { tokens[use] = new }
    if byAddress[address] == token { byAddress[address] = new }
  }

  /// The handshake of a connection that was dialled is done. Nil: no download wants it any more.
  public mutating func established(_ token: ConnectionToken, _ peer: PeerID, requestsMax: Int) -> Established? {
    guard var line = lines[token], !line.queue.isEmpty else { return nil }
    guard let other = byPeer[peer], lines[other] != nil else {
      (line.peer, line.requestsMax) = (peer, requestsMax)
      lines[token] = line
      byPeer[peer] = token
      return Established(token: token, isDuplicate: false)
    }
    for use in line.queue { enqueue(use, at: other) }
    line.queue = []
    lines[token] = line
    forget(token)
    return Established(token: other, isDuplicate: true)
  }

  /// The next download that waits for a connection that stands: it is connected now. Nil if none waits, or if as many
  /// contents as the protocol allows are in use on it.
  public mutating func nextUse(of token: ConnectionToken) -> Connected? {
    guard var line = lines[token], let peer = line.peer, !line.queue.isEmpty,
      Set(line.uses.map(\.download)).count < ProtocolLimits.openFilesMax
    else { return nil }
    let use = line.queue.removeFirst()
    line.uses.append(use)
    lines[token] = line
    return Connected(use: use, peer: peer, requestsMax: line.requestsMax)
  }

  /// A peer has opened the content of a download, on a connection that may be in use already.
  public mutating func joined(_ token: ConnectionToken, _ peer: PeerID, requestsMax: Int, for use: Use) {
    let unknown = Line(address: nil, pinned: nil, peer: peer, requestsMax: requestsMax)
    lines[token, default: unknown].uses.append(use)
    tokens[use] = token
    if byPeer[peer] == nil { byPeer[peer] = token }
  }

  private mutating func enqueue(_ use: Use, at token: ConnectionToken) {
    lines[existing: token].queue.append(use)
    tokens[use] = token
  }

  // MARK: Going

  /// A download gives a connection up.
  public mutating func release(_ use: Use) -> Release {
    guard let token = tokens.removeValue(forKey: use), var line = lines[token] else { return .nothing }
    line.uses.removeAll { $0 == use }
    line.queue.removeAll { $0 == use }
    lines[token] = line
    let others = line.uses + line.queue
    if others.contains(where: { $0.download == use.download }) { return .nothing }
    guard others.isEmpty else { return .giveBack(token) }
    if line.isWaiting {
      _ = lost(token)
      return .nothing
    }
    forget(token)
    return .unused(token)
  }

  /// A connection is gone, or could not be dialled. Returns the uses that it had.
  public mutating func lost(_ token: ConnectionToken) -> [Use] {
    guard let line = lines[token] else { return [] }
    forget(token)
    lines[token] = nil
    if line.isWaiting { waiting.removeAll { $0 == token } } else if line.address != nil { dialledCount -= 1 }
    for use in line.uses + line.queue { tokens[use] = nil }
    return line.uses + line.queue
  }

  /// No other download comes to use the connection.
  private mutating func forget(_ token: ConnectionToken) {
    guard let line = lines[token] else { return }
    if let address = line.address, byAddress[address] == token { byAddress[address] = nil }
    guard let peer = line.peer, byPeer[peer] == token else { return }
    byPeer[peer] = lines.first { $0.key != token && $0.value.peer == peer && !$0.value.uses.isEmpty }?.key
  }
}
