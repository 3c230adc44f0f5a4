// The swarm of one content at one node: its peers, the chunks that each was promised, and which peers hear of which.
import Content
import Wire

/// Every connection on which one content is open, in either direction. The node and the simulation run it alike. Not
/// shared between threads.
public struct ContentSwarm: Sendable {
  /// The peer at the other end of a connection.
  public struct Peer: Sendable {
    public let id: PeerID
    /// 16 bytes, as in `PeerAddress`.
    public let ip: [UInt8]
    /// The port that was dialled, or the one that the peer announced; nil or 0: it cannot be dialled.
    public let port: UInt16?
    /// The connection ends soon, since there is no place for it.
    public let isTurnedAway: Bool

    public init(id: PeerID, ip: [UInt8], port: UInt16?, isTurnedAway: Bool = false) {
      self.id = id
      self.ip = ip
      self.port = port
      self.isTurnedAway = isTurnedAway
    }

    /// Other peers can fetch from it what it gets.
    var shares: Bool { port.map { $0 != 0 } ?? false }
  }

  private var promises: UploadPromises
  private var directory: PeerDirectory
  /// Of the peers that share.
  private var choking = UploadChoking()

  public init(chunkCount: Int, generator: SeededGenerator) {
    promises = UploadPromises(chunkCount: chunkCount)
    directory = PeerDirectory(generator: generator)
  }

  public var isEmpty: Bool { directory.count == 0 }

  // MARK: Members

  /// A peer has opened the content here.
  /// - Returns: chunks that other peers were promised.
  public mutating func join(_ member: ConnectionToken, _ peer: Peer, at now: Instant) -> [ChunkIndex] {
    directory.join(
      member, peer.id, ip: peer.ip, port: peer.port, isListener: true, isTurnedAway: peer.isTurnedAway, at: now)
    // A peer that is turned away asks for nothing here.
    if peer.isTurnedAway { return [] }
    if peer.shares { choking.join(member, at: now) }
    return promises.join(member, shares: peer.shares)
  }

  /// A peer has the content, which this node fetches. Other peers hear of it.
  public mutating func meet(_ member: ConnectionToken, _ peer: Peer, at now: Instant) {
    directory.join(member, peer.id, ip: peer.ip, port: peer.port, isListener: false, at: now)
  }

  /// The content is no longer open on the connection.
  public mutating func leave(_ member: ConnectionToken, at now: Instant) {
    promises.leave(member)
    choking.leave(member)
    directory.leave(member, at: now)
  }

  // MARK: Requests

  /// Whether the node takes a request for a chunk; if not, the peer asks again later.
  /// - `isFull`: whether the upload is known to be all used.
  public mutating func accepts(
    _ chunk: ChunkIndex, from member: ConnectionToken, isFull: Bool, at now: Instant
  ) -> Bool {
    choking.accepts(member, isFirst: promises.isFirst(member, of: chunk), isFull: isFull, at: now)
  }

  /// The next piece for a peer waits. True if it goes before pieces of chunks that other peers were promised first.
  public mutating func waits(for chunk: ChunkIndex, _ member: ConnectionToken, isFull: Bool, at now: Instant) -> Bool {
    let isFirst = promises.isFirst(member, of: chunk)
    choking.waits(member, isFirst: isFirst, at: now)
    // The node never chokes a peer that gives nothing to others, but such a peer does not go before those that give.
    return isFirst || choking.knows(member) && choking.isImpatient(member, isFull: isFull, at: now)
  }

  /// No piece waits for a peer.
  public mutating func rests(_ member: ConnectionToken) { choking.rests(member) }

  // MARK: Promises

  /// The node will send a chunk. True if the other peers hear of it.
  public mutating func promise(_ chunk: ChunkIndex, to member: ConnectionToken) -> Bool {
    promises.promise(chunk, to: member)
  }

  /// Leaves of a chunk left for a peer.
  public mutating func sent(_ leafCount: Int, of chunk: ChunkIndex, to member: ConnectionToken) {
    promises.sent(leafCount, of: chunk, to: member)
  }

  /// A peer waits for nothing more of a chunk.
  /// - `leafCount`: of the whole chunk.
  public mutating func settle(_ chunk: ChunkIndex, of member: ConnectionToken, leafCount: Int) {
    promises.settle(chunk, of: member, leafCount: leafCount)
  }

  // MARK: Peers hear of one another

  /// What to tell some members, or all, about other peers now.
  public mutating func introductions(
    to members: Set<ConnectionToken>? = nil, at now: Instant
  ) -> [(member: ConnectionToken, entries: [PeerExchange.Entry])] {
    directory.messages(to: members, at: now)
  }
}
