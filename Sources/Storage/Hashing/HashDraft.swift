// The leaf hashes of a file that is being hashed, on their way into the store: in memory only as many as make a batch. If
// the process is killed, the next one goes on with those that were written.
import Content
import Posix
import SQLite
import Synchronization

/// A file whose hashes are all known, before the store has them.
struct FinishedHash: Sendable {
  let path: String
  let status: FileStatus
  let tree: HashTree
  /// As `KnownFile.isYoung`.
  var isYoung = false
  /// The file's number, if leaf hashes were already written under it. Otherwise nil.
  let reserved: Int64?
  /// The leaf hashes that are not written yet.
  let leaves: [ChunkLeaves]
}

/// Collects leaf hashes from several threads and writes them in batches. If they fit one batch, nothing is written
/// before the file's end.
final class HashDraft: Sendable {
  /// The chunks whose leaf hashes are written at once: 128 KiB of hashes.
  private static let batchChunks = 64

  private let path: String
  private let store: HashStore

  private struct State {
    var number: Int64?
    /// The status of the file. Nil if the file is young, so that its times do not show a change.
    var status: FileStatus?
    /// The number is that of an earlier run, which has hashed chunks.
    var isContinued = false
    var batch: [ChunkLeaves] = []
  }
  private let state = Mutex(State())

  init(of path: String, in store: HashStore) {
    self.path = path
    self.store = store
  }

  /// Begins to hash the file, or continues where an earlier run was stopped. Called once, before anything else.
  /// - `isYoung`: as of `KnownFile`.
  func begin(_ status: FileStatus, isYoung: Bool) {
    // What cannot be read is hashed again.
    let number = (try? store.takeUnfinished(path, status)) ?? nil
    state.withLock { state in
      (state.number, state.isContinued) = (number, number != nil)
      state.status = isYoung ? nil : status
    }
  }

  /// Returns the leaf hashes of a chunk that an earlier run has hashed. Nil if it has to be hashed.
  func earlier(_ chunk: ChunkIndex, count: Int) -> [Digest]? {
    guard let number = state.withLock({ $0.isContinued ? $0.number : nil }),
      let hashes = (try? store.sealedLeafHashes(of: chunk, of: number)) ?? nil, hashes.count == count
    else { return nil }
    return hashes
  }

  /// Takes the leaf hashes of a chunk.
  func add(_ leaves: ChunkLeaves) throws(DatabaseError) {
    let full: [ChunkLeaves]? = state.withLock { state in
      state.batch.append(leaves)
      guard state.batch.count > HashDraft.batchChunks else { return nil }
      defer { state.batch = [] }
      return state.batch
    }
    guard let full else { return }
    try store.write(full, of: try number())
  }

  private func number() throws(DatabaseError) -> Int64 {
    try state.withLock { state throws(DatabaseError) in
      if let number = state.number { return number }
      let number = try store.reserve(path, state.status)
      state.number = number
      return number
    }
  }

  /// Ends the draft when all chunks are in. Returns the leaf hashes that are not written yet.
  func finish(_ file: HashedFile) -> FinishedHash {
    let end = state.withLock { state in
      defer { state.batch = [] }
      return state
    }
    return FinishedHash(
      path: path, status: file.status, tree: file.tree, isYoung: file.isYoung, reserved: end.number, leaves: end.batch)
  }

  /// Removes what was written for a file that will not be known.
  func abandon() {
    guard let number = state.withLock({ $0.number }) else { return }
    try? store.remove(number)  // if this fails, the next start removes it
  }
}
