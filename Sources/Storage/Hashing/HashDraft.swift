// The leaf hashes of a file that is being hashed, on their way into the store: in memory only as many as make a batch.
import Content
import Posix
import SQLite
import Synchronization

/// A file whose hashes are all there, before the store has it.
struct FinishedHash: Sendable {
  let path: String
  let status: FileStatus
  let tree: HashTree
  /// As of `KnownFile`.
  var isYoung = false
  /// The number that leaf hashes were written under already.
  let reserved: Int64?
  /// The other ones.
  let leaves: [ChunkLeaves]
}

/// Collects from several threads, writes in batches. Of a file that fits one batch, nothing is written before its end.
final class HashDraft: Sendable {
  /// Chunks whose leaf hashes are written at once: 128 KiB.
  private static let batchChunks = 64

  private let path: String
  private let store: HashStore

  private struct State {
    var number: Int64?
    var batch: [ChunkLeaves] = []
  }
  private let state = Mutex(State())

  init(of path: String, in store: HashStore) {
    self.path = path
    self.store = store
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
      let number = try store.reserve(path)
      state.number = number
      return number
    }
  }

  /// All chunks are in: hands over the part that is not written yet.
  func finish(_ file: HashedFile) -> FinishedHash {
    let end = state.withLock { state in
      defer { state.batch = [] }
      return state
    }
    return FinishedHash(
      path: path, status: file.status, tree: file.tree, isYoung: file.isYoung, reserved: end.number, leaves: end.batch)
  }

  /// The file will not be known: what was written of it goes.
  func abandon() {
    guard let number = state.withLock({ $0.number }) else { return }
    try? store.remove(number)  // else the next start removes it
  }
}
