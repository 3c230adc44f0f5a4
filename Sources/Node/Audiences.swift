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
  }

  private struct Audience: Sendable {
    var ledger: UploadLedger
    var directory: PeerDirectory
  }

  private let byFile = Mutex<[FileID: Audience]>([:])

  /// A peer has opened a file here. Returns what was promised to others.
  func join(_ fileID: FileID, chunkCount: Int, _ newcomer: Newcomer, at now: Instant) -> [ChunkIndex] {
    byFile.withLock { audiences in
      Audiences.make(fileID, chunkCount: chunkCount, in: &audiences)
      audiences[fileID]!.directory.join(
        newcomer.member, newcomer.peer, ip: newcomer.ip, port: newcomer.port, isListener: true, at: now)
      return audiences[fileID]!.ledger.join(newcomer.member)
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
  func leave(_ fileID: FileID, _ member: Member) {
    byFile.withLock { audiences in
      audiences[fileID]?.ledger.leave(member)
      audiences[fileID]?.directory.leave(member)
      if audiences[fileID]?.directory.count == 0 { audiences[fileID] = nil }
    }
  }

  /// A chunk will be sent. True where the others are to be told.
  func promise(_ chunk: ChunkIndex, of fileID: FileID, to member: Member) -> Bool {
    byFile.withLock { $0[fileID]?.ledger.promise(chunk, to: member) ?? false }
  }

  /// Whom some of a file's peers are to be told of now.
  func introductions(
    of fileID: FileID, to members: Set<Member>, at now: Instant
  ) -> [(member: Member, entries: [PeerExchange.Entry])] {
    byFile.withLock { $0[fileID]?.directory.messages(to: members, at: now) ?? [] }
  }
}
