// Checks the files of a tree once more before its output gets its name. Most of the time goes to the kernel, so a
// second thread takes part of the work.
import Content
import Posix

/// Checks files while a walk hands them in. The walk waits for the checks at its end.
final class FileChecks: Sendable {
  /// The most files in one batch: one folder may have all files of a listing.
  static let filesMax = 64
  /// The most batches that wait, each with an open folder. If there are more, the walk checks files itself.
  private static let waitingMax = 16
  /// With fewer entries, a thread costs more than it saves.
  static let entriesOfThread = 512

  /// Some files of one folder.
  struct Batch: Sendable {
    let folder: OpenFolder
    var files: [(entry: Int, name: String)] = []
  }

  private struct State: Sendable {
    var waiting: [Batch] = []
    var failure: PartFileError?
    /// Whether the walk has ended and no more batches come.
    var isOver = false
  }

  private let listing: FolderListing
  /// The user who must own the files.
  private let userID = Environment.userID
  private let state = Monitor(State())

  private init(_ listing: FolderListing) { self.listing = listing }

  /// Runs a walk and checks the files that it hands in. Throws the failure of the walk, or else that of a file.
  static func run<T>(
    _ listing: FolderListing, _ walk: (FileChecks) throws(PartFileError) -> T
  ) throws(PartFileError) -> T {
    let checks = FileChecks(listing)
    let hasThread = listing.count >= entriesOfThread
    let thread = hasThread ? Thread.start(name: "p2p-check") { while checks.lookAtNext() {} } : nil
    let result: T
    do throws(PartFileError) { result = try walk(checks) } catch {
      checks.state.change { ($0.waiting, $0.isOver) = ([], true) }
      thread?.join()
      throw error
    }
    checks.state.change { $0.isOver = true }
    while checks.lookAtNext() {}
    thread?.join()
    if let failure = checks.state.change({ $0.failure }) { throw failure }
    return result
  }

  /// Takes a batch of files from the walk. Throws if a file of an earlier batch was wrong.
  func add(_ batch: Batch) throws(PartFileError) {
    let (isFull, failure) = state.change { state in
      if state.waiting.count >= FileChecks.waitingMax { return (true, state.failure) }
      state.waiting.append(batch)
      return (false, state.failure)
    }
    if let failure { throw failure }
    if isFull { look(at: batch) }
  }

  /// Waits for a batch and checks its files. Returns false if no more batches come.
  private func lookAtNext() -> Bool {
    let next: Batch?? = state.wait { state in
      if let batch = state.waiting.popLast() { return .some(batch) }
      return state.isOver ? .some(nil) : nil
    }
    guard let batch = next ?? nil else { return false }
    look(at: batch)
    return true
  }

  private func look(at batch: Batch) {
    do throws(PartFileError) {
      for (entry, name) in batch.files { try look(at: entry, name, in: batch.folder.directory) }
    } catch {
      state.change { state in
        if state.failure == nil { state.failure = error }
      }
    }
  }

  /// Throws if this program cannot have made the file, or if its length is wrong.
  private func look(at entry: Int, _ name: String, in folder: borrowing Directory) throws(PartFileError) {
    let status: FileStatus
    do throws(Errno) { status = try folder.status(of: name) } catch { throw .io(error) }
    let isLong = status.size == listing.fileLength(of: entry)
    guard let what = FolderPart.foreignness(of: status, userID) ?? (isLong ? nil : "not as long as it was written")
    else { return }
    throw .foreign(path: folder.path(of: name), what: what)
  }
}
