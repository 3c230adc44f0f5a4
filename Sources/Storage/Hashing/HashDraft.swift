// The leaf hashes of a file that is being hashed, on their way into the store: in memory only as many as make a batch.
import Content
import Posix
import SQLite
import Synchronization

/// Collects from several threads, writes in batches. A file that fits one batch is written in one transaction.
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

  /// All chunks are in: makes the file known. Nil where that has to be done all over; see `HashStore.finish`.
  func finish(_ status: FileStatus, _ tree: HashTree) throws(DatabaseError) -> KnownFile? {
    let end = state.withLock { $0 }
    return try store.finish(path, status, tree, reserved: end.number, end.batch)
  }

  /// The file will not be known: what was written of it goes.
  func abandon() {
    guard let number = state.withLock({ $0.number }) else { return }
    try? store.remove(number)  // else the next start removes it
  }
}
