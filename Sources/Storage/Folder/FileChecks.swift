// The last look at the files of a tree, before its output gets its name. Most of its time is the kernel's, so another
// thread takes a part of it.
import Content
import Posix

/// Looks at files while a walk goes on, which hands them in and waits at its end.
final class FileChecks: Sendable {
  /// Files that are handed in at once, at most: one folder may have all files of a listing.
  static let filesMax = 64
  /// Batches that wait, each with an open folder. If there are more, the walk looks at files itself.
  private static let waitingMax = 16
  /// With fewer entries a thread costs more than it saves.
  static let entriesOfThread = 512

  /// Files of one folder.
  struct Batch: Sendable {
    let folder: OpenFolder
    var files: [(entry: Int, name: String)] = []
  }

  private struct State: Sendable {
    var waiting: [Batch] = []
    var failure: PartFileError?
    /// No more come.
    var isOver = false
  }

  private let listing: FolderListing
  /// The owner of the files.
  private let userID = Environment.userID
  private let state = Monitor(State())

  private init(_ listing: FolderListing) { self.listing = listing }

  /// Runs a walk, and looks at the files that it hands in. Throws the failure of the walk, else that of a file.
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

  /// Takes files of the walk. Throws if one that came before is not what it should be.
  func add(_ batch: Batch) throws(PartFileError) {
    let (isFull, failure) = state.change { state in
      if state.waiting.count >= FileChecks.waitingMax { return (true, state.failure) }
      state.waiting.append(batch)
      return (false, state.failure)
    }
    if let failure { throw failure }
    if isFull { look(at: batch) }
  }

  /// Waits for a batch and looks at it. False: no more come.
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

  /// Throws if a file is not one that this program made, or not as long as it should be.
  private func look(at entry: Int, _ name: String, in folder: borrowing Directory) throws(PartFileError) {
    let status: FileStatus
    do throws(Errno) { status = try folder.status(of: name) } catch { throw .io(error) }
    let isLong = status.size == listing.fileLength(of: entry)
    guard let what = FolderPart.foreignness(of: status, userID) ?? (isLong ? nil : "not as long as it was written")
    else { return }
    throw .foreign(path: folder.path(of: name), what: what)
  }
}
