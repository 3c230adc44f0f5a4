// Checks chunks again after a peer reported wrong data, on its own thread, because a check waits for the disk.
import Content
import Posix
import Storage
import Transfer
import Wire

/// Checks chunks one after the other, until none waits. Withdraws a file with a chunk that no longer matches its hash.
/// Any thread may call it.
final class Rechecker: Sendable {
  enum Subject: Hashable, Sendable {
    /// The file that a folder serves at a path when the check starts.
    case path(String, in: ObjectIdentifier)
    /// The file of a download.
    case download(FileID)
    /// The files of a folder.
    case contents(FileID)
  }
  typealias Item = Rechecks<Subject>.Item

  private struct State: Sendable {
    var rechecks = Rechecks<Subject>(at: Rechecker.now)
    var isRunning = false
    var isStopped = false
    var checkedCount = 0
  }
  private let state = Monitor(State())

  private static var now: Instant { Instant(nanoseconds: Clock.monotonicNanoseconds) }

  /// The number of chunks checked so far.
  var checkedCount: Int { state.change { $0.checkedCount } }

  /// Whether its thread runs.
  var isRunning: Bool { state.change { $0.isRunning } }

  /// Queues chunks of which a peer of this address group says that some were wrong. Never waits for the disk.
  func ask(_ items: [Item], from group: AddressGroup, _ context: NodeContext) {
    let starts = state.change { state in
      if state.isStopped { return false }
      state.rechecks.ask(items, from: group)
      defer { state.isRunning = true }
      return !state.isRunning
    }
    if starts { Thread.start(name: "p2p-recheck") { self.run(context) }.detach() }
  }

  /// Stops the checks, and returns when the current check has ended. That takes the read of one chunk at most.
  func stop() {
    state.change { $0.isStopped = true }
    state.wait { $0.isRunning ? nil : () }
  }

  // MARK: The thread

  /// Checks chunks until none waits.
  private func run(_ context: NodeContext) {
    while let item = next() {
      check(item, context)
      state.change { $0.checkedCount += 1 }
    }
  }

  private func next() -> Item? {
    while true {
      let now = Rechecker.now
      let next = state.change { state in
        let next = state.isStopped ? .nothing : state.rechecks.next(at: now)
        state.isRunning = next != .nothing
        return next
      }
      switch next {
      case .check(let item): return item
      case .wait(let delay):
        _ = state.wait(untilNanoseconds: (now + delay).nanoseconds) { $0.isStopped ? () : nil }
      case .nothing: return nil
      }
    }
  }

  private func check(_ item: Item, _ context: NodeContext) {
    switch item.content {
    case .path(let path, let id):
      guard let folder = context.offered.folders.first(where: { ObjectIdentifier($0) == id }),
        let entry = folder.catalogue.entry(at: path)
      else { return }
      do throws(StoredFileError) { try folder.catalogue.recheck(item.chunk, of: entry) } catch {
        if case .busy = error { return }
        context.withdraw(entry, of: folder, because: error)
        // Another path serves the same bytes now. It may be a hard link to the same file, so check it too.
        if let (other, folder) = context.offered.entry(entry.fileID) {
          let subject = Subject.path(other.path, in: ObjectIdentifier(folder))
          state.change { $0.rechecks.ask([Item(subject, item.chunk)], from: nil) }
        }
      }
    case .contents(let fileID):
      let bucket = FileKey(fileID, swarm: context.swarmKey).bucket
      context.offered.contents(fileID, bucket: bucket)?.recheck(item.chunk)
    case .download(let fileID):
      guard let share = context.offered.download(fileID) else { return }
      do throws(StoredFileError) { try share.recheck(item.chunk) } catch {
        if case .busy = error { return }
        context.withdraw(share, because: error)
      }
    }
  }
}
