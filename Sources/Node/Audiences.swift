// Who shares each file with this node: what they were promised of it, and whom they are told of.
import Content
import Posix
import Sodium
import Synchronization
import Transfer
import Wire

/// The peers of every file, for all loops of a node. Guards itself.
final class Audiences: Sendable {
  /// A connection of the node.
  typealias Member = UInt64

  /// A peer that has or wants a file, and where it can be dialled.
  struct Newcomer {
    let member: Member
    let peer: PeerID
    let ip: [UInt8]
    /// The port that was dialled, or the one that it announced.
    let port: UInt16?
    /// Whether it has to go, since there is no room for it.
    var isTurnedAway = false
    /// Who does not listen gives nothing to others.
    var shares: Bool { port.map { $0 != 0 } ?? false }
  }

  private struct Audience: Sendable {
    var ledger: UploadLedger
    var directory: PeerDirectory
    /// Of those that share.
    var deferral = UploadDeferral()
  }

  private let byFile = Mutex<[FileID: Audience]>([:])

  /// A peer has opened a file here. Returns what was promised to others.
  func join(_ fileID: FileID, chunkCount: Int, _ newcomer: Newcomer, at now: Instant) -> [ChunkIndex] {
    byFile.withLock { audiences in
      Audiences.make(fileID, chunkCount: chunkCount, in: &audiences)
      audiences[fileID]!.directory.join(
        newcomer.member, newcomer.peer, ip: newcomer.ip, port: newcomer.port, isListener: true,
        isTurnedAway: newcomer.isTurnedAway, at: now)
      if newcomer.shares { audiences[fileID]!.deferral.join(newcomer.member, at: now) }
      return audiences[fileID]!.ledger.join(newcomer.member, shares: newcomer.shares)
    }
  }

  /// A peer has a file that is fetched here: others are told of it.
  func meet(_ fileID: FileID, chunkCount: Int, _ newcomer: Newcomer, at now: Instant) {
    byFile.withLock { audiences in
      Audiences.make(fileID, chunkCount: chunkCount, in: &audiences)
      audiences[fileID]!.directory.join(
        newcomer.member, newcomer.peer, ip: newcomer.ip, port: newcomer.port, isListener: false, at: now)
    }
  }

  private static func make(_ fileID: FileID, chunkCount: Int, in audiences: inout [FileID: Audience]) {
    if audiences[fileID] != nil { return }
    audiences[fileID] = Audience(
      ledger: UploadLedger(chunkCount: chunkCount),
      directory: PeerDirectory(generator: SeededGenerator(seed: Random.uint64())))
  }

  /// A file is no longer open at a connection.
  func leave(_ fileID: FileID, _ member: Member, at now: Instant) {
    byFile.withLock { audiences in
      audiences[fileID]?.ledger.leave(member)
      audiences[fileID]?.deferral.leave(member)
      audiences[fileID]?.directory.leave(member, at: now)
      if audiences[fileID]?.directory.count == 0 { audiences[fileID] = nil }
    }
  }

  /// Whether a request for a chunk is to be taken in; else it is to come again.
  /// - `isFull`: whether the upload is known to be all used.
  func accepts(
    _ chunk: ChunkIndex, of fileID: FileID, from member: Member, isFull: Bool, at now: Instant
  ) -> Bool {
    byFile.withLock { audiences in
      guard let isFirst = audiences[fileID]?.ledger.isFirst(member, of: chunk) else { return true }
      return audiences[fileID]!.deferral.accepts(member, isFirst: isFirst, isFull: isFull, at: now)
    }
  }

  /// A piece of a chunk is to be sent. True where it goes before those of chunks that others were promised first.
  func waits(for chunk: ChunkIndex, of fileID: FileID, _ member: Member, isFull: Bool, at now: Instant) -> Bool {
    byFile.withLock { audiences in
      guard let isFirst = audiences[fileID]?.ledger.isFirst(member, of: chunk) else { return true }
      audiences[fileID]!.deferral.waits(member, isFirst: isFirst, at: now)
      // Who gives nothing to others is never put off, but does not go before those who do either.
      let deferral = audiences[fileID]!.deferral
      return isFirst || deferral.knows(member) && deferral.isImpatient(member, isFull: isFull, at: now)
    }
  }

  /// Nothing of a file is to be sent.
  func rests(_ fileID: FileID, _ member: Member) { byFile.withLock { $0[fileID]?.deferral.rests(member) } }

  /// A chunk will be sent. True where the others are to be told.
  func promise(_ chunk: ChunkIndex, of fileID: FileID, to member: Member) -> Bool {
    byFile.withLock { $0[fileID]?.ledger.promise(chunk, to: member) ?? false }
  }

  /// Leaves of a chunk were sent to a reader.
  func sent(_ leafCount: Int, of chunk: ChunkIndex, of fileID: FileID, to member: Member) {
    byFile.withLock { $0[fileID]?.ledger.sent(leafCount, of: chunk, to: member) }
  }

  /// A reader waits for nothing of a chunk any more.
  func settle(_ chunk: ChunkIndex, of fileID: FileID, _ member: Member, leafCount: Int) {
    byFile.withLock { $0[fileID]?.ledger.settle(chunk, of: member, leafCount: leafCount) }
  }

  /// Whom some of a file's peers are to be told of now.
  func introductions(
    of fileID: FileID, to members: Set<Member>, entriesMax: Int = PeerDirectory.entriesMax, at now: Instant
  ) -> [(member: Member, entries: [PeerExchange.Entry])] {
    byFile.withLock { $0[fileID]?.directory.messages(to: members, entriesMax: entriesMax, at: now) ?? [] }
  }
}
