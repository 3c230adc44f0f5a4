// Takes hashed files to the database and the catalogue. Many small files share one transaction.
import Content
import Posix
import SQLite
import Synchronization

/// Collects files from several threads, and adds them to a catalogue in batches.
final class FinishedFiles: Sendable {
  /// The longest wait of a file for others to join its batch. A large file beside it does not delay it longer.
  private static let delayNanoseconds: Int64 = 100_000_000
  /// The number of chunks whose leaf hashes may wait: 128 KiB of hashes.
  private static let chunksMax = 64

  private struct State {
    /// The number of files that are not hashed yet.
    var missingCount: Int
    var files: [(job: HashJob, hash: FinishedHash)] = []
    /// The number of chunks whose leaf hashes are in `files`.
    var chunkCount = 0
    /// When the first file of the batch came.
    var since: Int64 = 0

    mutating func take() -> [(job: HashJob, hash: FinishedHash)] {
      defer { self = State(missingCount: missingCount) }
      return files
    }
  }
  private let state: Mutex<State>
  private let catalogue: Catalogue
  private let onEnded: @Sendable ([EndedFile]) -> Void
  private let onEvent: @Sendable (CatalogueEvent) -> Void

  /// - `count`: the number of files that will come.
  init(
    _ catalogue: Catalogue, count: Int, onEnded: @escaping @Sendable ([EndedFile]) -> Void,
    onEvent: @escaping @Sendable (CatalogueEvent) -> Void
  ) {
    self.catalogue = catalogue
    state = Mutex(State(missingCount: count))
    self.onEnded = onEnded
    self.onEvent = onEvent
  }

  func add(_ job: HashJob, _ file: HashedFile) {
    guard let hash = job.draft?.finish(file) else {
      preconditionFailure("the job was made with a draft")
    }
    let batch = state.withLock { state in
      if state.files.isEmpty { state.since = Clock.monotonicNanoseconds }
      state.files.append((job, hash))
      state.chunkCount += hash.leaves.count
      state.missingCount -= 1
      let isFull = state.files.count >= HashStore.batchFiles || state.chunkCount >= FinishedFiles.chunksMax
      return isFull || state.missingCount == 0 ? state.take() : []
    }
    write(batch)
  }

  /// Writes the batch if its first file has waited long enough.
  func writeIfDue() {
    let batch = state.withLock { state in
      guard !state.files.isEmpty, Clock.monotonicNanoseconds - state.since >= FinishedFiles.delayNanoseconds else {
        return [(job: HashJob, hash: FinishedHash)]()
      }
      return state.take()
    }
    write(batch)
  }

  /// Writes all waiting files.
  func write() { write(state.withLock { $0.take() }) }

  private func write(_ batch: [(job: HashJob, hash: FinishedHash)]) {
    if batch.isEmpty { return }
    let known: [KnownFile?]
    do throws(DatabaseError) { known = try catalogue.store.finish(batch.map(\.hash)) } catch {
      for (job, _) in batch { skip(job, .cannotKeep(error)) }
      return
    }
    var ended: [EndedFile] = []
    for ((job, hash), known) in zip(batch, known) {
      guard let known else {
        skip(job, .changed)
        continue
      }
      ended.append(EndedFile(path: hash.path, skipped: nil))
      let entry = CatalogueEntry(path: hash.path, status: hash.status, hashes: known)
      catalogue.add(entry)
      onEvent(.added(entry))
    }
    onEnded(ended)
  }

  /// Records that a file could not be hashed.
  func failed(_ job: HashJob, _ reason: SkipReason) {
    state.withLock { $0.missingCount -= 1 }
    skip(job, reason)
  }

  private func skip(_ job: HashJob, _ reason: SkipReason) {
    job.draft?.abandon()
    onEvent(.skipped(SkippedFile(path: job.path, reason: reason)))
    onEnded([EndedFile(path: job.path, skipped: reason)])
  }
}
