// The swarm of one content at one node: its peers, the chunks promised to each, and which peers hear of which.
import Content
import Wire

/// Follows every connection on which one content is open, in either direction. The node and the simulation both use it.
/// Not shared between threads.
public struct ContentSwarm: Sendable {
  /// The peer at the other end of a connection.
  public struct Peer: Sendable {
    public let id: PeerID
    /// 16 bytes, as in `PeerAddress`.
    public let ip: [UInt8]
    /// The port that was dialled, or the one that the peer announced. Nil or 0: the peer cannot be dialled.
    public let port: UInt16?
    /// Whether the connection ends soon, because there is no place for it.
    public let isTurnedAway: Bool

    public init(id: PeerID, ip: [UInt8], port: UInt16?, isTurnedAway: Bool = false) {
      self.id = id
      self.ip = ip
      self.port = port
      self.isTurnedAway = isTurnedAway
    }

    /// Whether other peers can dial the peer and fetch from it.
    var shares: Bool { port.map { $0 != 0 } ?? false }
  }

  private var promises: UploadPromises
  private var directory: PeerDirectory
  /// The choking of the peers that share.
  private var choking = UploadChoking()

  public init(chunkCount: Int, generator: SeededGenerator) {
    promises = UploadPromises(chunkCount: chunkCount)
    directory = PeerDirectory(generator: generator)
  }

  public var isEmpty: Bool { directory.count == 0 }

  // MARK: Members

  /// Enters a peer that has opened the content here.
  /// - Returns: chunks that were promised to other peers.
  public mutating func join(_ member: ConnectionToken, _ peer: Peer, at now: Instant) -> [ChunkIndex] {
    directory.join(
      member, peer.id, ip: peer.ip, port: peer.port, isListener: true, isTurnedAway: peer.isTurnedAway, at: now)
    // A peer that is turned away sends no requests here.
    if peer.isTurnedAway { return [] }
    if peer.shares { choking.join(member, at: now) }
    return promises.join(member, shares: peer.shares)
  }

  /// Enters a peer from which this node fetches the content. Other peers hear of it.
  public mutating func meet(_ member: ConnectionToken, _ peer: Peer, at now: Instant) {
    directory.join(member, peer.id, ip: peer.ip, port: peer.port, isListener: false, at: now)
  }

  /// Removes a connection on which the content is no longer open.
  public mutating func leave(_ member: ConnectionToken, at now: Instant) {
    promises.leave(member)
    choking.leave(member)
    directory.leave(member, at: now)
  }

  // MARK: Requests

  /// Returns whether the node accepts a request for a chunk. If not, the peer asks again later.
  /// - `isFull`: whether the node's upload is known to be full.
  public mutating func accepts(
    _ chunk: ChunkIndex, from member: ConnectionToken, isFull: Bool, at now: Instant
  ) -> Bool {
    choking.accepts(member, isFirst: promises.isFirst(member, of: chunk), isFull: isFull, at: now)
  }

  /// Notes that the next piece for a peer waits. True if it goes before pieces of chunks that were promised to another
  /// peer first.
  public mutating func waits(for chunk: ChunkIndex, _ member: ConnectionToken, isFull: Bool, at now: Instant) -> Bool {
    let isFirst = promises.isFirst(member, of: chunk)
    choking.waits(member, isFirst: isFirst, at: now)
    // The node never chokes a peer that serves no others, but such a peer does not go before peers that do.
    return isFirst || choking.knows(member) && choking.isImpatient(member, isFull: isFull, at: now)
  }

  /// Notes that no piece waits for a peer.
  public mutating func rests(_ member: ConnectionToken) { choking.rests(member) }

  // MARK: Promises

  /// Notes that the node will send a chunk. True if the other peers should hear of it.
  public mutating func promise(_ chunk: ChunkIndex, to member: ConnectionToken) -> Bool {
    promises.promise(chunk, to: member)
  }

  /// Counts leaves of a chunk that were sent to a peer.
  public mutating func sent(_ leafCount: Int, of chunk: ChunkIndex, to member: ConnectionToken) {
    promises.sent(leafCount, of: chunk, to: member)
  }

  /// Notes that a peer waits for no more leaves of a chunk.
  /// - `leafCount`: the leaves of the whole chunk.
  public mutating func settle(_ chunk: ChunkIndex, of member: ConnectionToken, leafCount: Int) {
    promises.settle(chunk, of: member, leafCount: leafCount)
  }

  // MARK: Introductions

  /// Returns the peers to announce to some members, or all, now.
  public mutating func introductions(
    to members: Set<ConnectionToken>? = nil, at now: Instant
  ) -> [(member: ConnectionToken, entries: [PeerExchange.Entry])] {
    directory.messages(to: members, at: now)
  }
}
