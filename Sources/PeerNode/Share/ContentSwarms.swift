// The swarm of each content that this node shares, used by all loops.
import Content
import Posix
import Sodium
import Synchronization
import Transfer
import Wire

/// A lock around the `ContentSwarm` of every content that is open on a connection.
final class ContentSwarms: Sendable {
  private let byFile = Mutex<[FileID: ContentSwarm]>([:])

  /// Adds a peer that has opened a file at this node. Returns the chunks that were promised to other peers.
  func join(
    _ fileID: FileID, chunkCount: Int, _ member: ConnectionToken, _ peer: ContentSwarm.Peer, at now: Instant
  ) -> [ChunkIndex] {
    byFile.withLock { swarms in
      swarms[fileID, default: ContentSwarms.swarm(chunkCount)].join(member, peer, at: now)
    }
  }

  /// Adds a peer that has a file which this node fetches, so that other peers learn of it.
  func meet(_ fileID: FileID, chunkCount: Int, _ member: ConnectionToken, _ peer: ContentSwarm.Peer, at now: Instant) {
    byFile.withLock { swarms in
      swarms[fileID, default: ContentSwarms.swarm(chunkCount)].meet(member, peer, at: now)
    }
  }

  private static func swarm(_ chunkCount: Int) -> ContentSwarm {
    ContentSwarm(chunkCount: chunkCount, generator: SeededGenerator(seed: Random.uint64()))
  }

  /// Removes a connection on which the file is no longer open.
  func leave(_ fileID: FileID, _ member: ConnectionToken, at now: Instant) {
    byFile.withLock { swarms in
      swarms[fileID]?.leave(member, at: now)
      if swarms[fileID]?.isEmpty == true { swarms[fileID] = nil }
    }
  }

  /// Notes that a peer closed a file which this node still fetches from it. The peer requests nothing more; other peers
  /// still learn of it.
  func leave(_ fileID: FileID, _ member: ConnectionToken, stillMeeting peer: ContentSwarm.Peer, at now: Instant) {
    byFile.withLock { swarms in
      swarms[fileID]?.leave(member, at: now)
      swarms[fileID]?.meet(member, peer, at: now)
    }
  }

  /// Returns whether the node accepts a request for a chunk now. If not, the peer asks again later.
  /// - `isFull`: whether the upload bandwidth is known to be used up.
  func accepts(
    _ chunk: ChunkIndex, of fileID: FileID, from member: ConnectionToken, isFull: Bool, at now: Instant
  ) -> Bool {
    byFile.withLock { $0[fileID]?.accepts(chunk, from: member, isFull: isFull, at: now) ?? true }
  }

  /// Notes that the next piece for a peer waits. Returns true if it goes before pieces of chunks that were promised to
  /// other peers first.
  func waits(
    for chunk: ChunkIndex, of fileID: FileID, _ member: ConnectionToken, isFull: Bool, at now: Instant
  ) -> Bool {
    byFile.withLock { $0[fileID]?.waits(for: chunk, member, isFull: isFull, at: now) ?? true }
  }

  /// Notes that no piece of a file waits for a peer.
  func rests(_ fileID: FileID, _ member: ConnectionToken) { byFile.withLock { $0[fileID]?.rests(member) } }

  /// Notes that the node will send a chunk to a peer. Returns true if the other peers are sent PROMISED.
  func promise(_ chunk: ChunkIndex, of fileID: FileID, to member: ConnectionToken) -> Bool {
    byFile.withLock { $0[fileID]?.promise(chunk, to: member) ?? false }
  }

  /// Counts leaves of a chunk that were sent to a peer.
  func sent(_ leafCount: Int, of chunk: ChunkIndex, of fileID: FileID, to member: ConnectionToken) {
    byFile.withLock { $0[fileID]?.sent(leafCount, of: chunk, to: member) }
  }

  /// Notes that a peer waits for no more leaves of a chunk.
  func settle(_ chunk: ChunkIndex, of fileID: FileID, _ member: ConnectionToken, leafCount: Int) {
    byFile.withLock { $0[fileID]?.settle(chunk, of: member, leafCount: leafCount) }
  }

  /// Returns, for each of these connections, the other peers of the file to send to it now.
  func introductions(
    of fileID: FileID, to members: Set<ConnectionToken>, at now: Instant
  ) -> [(member: ConnectionToken, entries: [PeerExchange.Entry])] {
    byFile.withLock { $0[fileID]?.introductions(to: members, at: now) ?? [] }
  }
}
