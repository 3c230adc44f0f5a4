// A node for programs that use Swift's concurrency: nothing here blocks the caller's thread.
import Posix
import Storage
import Synchronization

extension Node {
  /// Offers the files of a folder, as soon as `scan` has found and hashed them.
  /// - `stateFolder`: must exist. It keeps the hashes of the files, 0.2 % of the data, for the next time. If it lies in the
  ///   served folder, these hashes are left out.
  /// - `rules`: which files are left out, and which folders have an ID of their own.
  public func share(
    _ folder: String, stateFolder: String, rules: ServingRules = ServingRules()
  ) async throws(ServerError) -> FolderShare {
    try await Thread.blocking("p2p-share") { () throws(ServerError) in
      try self.share(folder, stateFolder: stateFolder, rules: rules)
    }
  }

  /// Cancels all downloads, stops accepting, lets uploads end within `grace`, and returns when all connections are closed.
  /// Any task may call it. A second call waits for the same end, and its `grace` changes nothing. If the task is cancelled, it waits all the same.
  public func stop(grace: Duration = .seconds(10)) async {
    await Thread.blocking("p2p-stop") { self.shutDown(grace: grace) }
  }

  /// Begins to stop as `stop` does, and returns at once.
  package func beginStop(grace: Duration) { Thread.start(name: "p2p-stop") { self.shutDown(grace: grace) }.detach() }
}

extension FolderShare {
  /// Finds the folder's files and hashes those that are new or changed; returns them when all are served, and follows
  /// the folder from then on.
  /// - `onEvent`: called on threads of the node, which wait for it; also for what happens in the folder later.
  /// - Throws: why the folder cannot be listed. A second call throws the code `Errno.already`. If the task is cancelled, or the node stops, the error has the code
  ///   `Errno.cancelled`; then the folder is not followed.
  @discardableResult public func scan(
    onEvent: @escaping @Sendable (CatalogueEvent) -> Void = { _ in }
  ) async throws(Errno) -> [CatalogueEntry] {
    let found = FoundEntries()
    let isDone = try await Thread.stoppable("p2p-scan") { shouldStop throws(Errno) in
      try self.scanAll(shouldStop: shouldStop) { event in
        if case .added(let entry) = event { found.add(entry) }
        onEvent(event)
      }
    }
    guard isDone else { throw Errno(code: Errno.cancelled, call: "scan", subject: path) }
    return found.takeAll()
  }

  /// Serves the folder's files no longer. Peers that have one open are told, unless another folder of the node serves
  /// the same bytes. Returns when no thread uses the folder.
  public func remove() async { await Thread.blocking("p2p-remove") { self.remove() } }
}

extension Server {
  /// Finds the folder's files and hashes those that are new or changed; returns them when all are served, and follows
  /// the folder from then on (`FolderShare.scan`).
  @discardableResult public func scanFolder(
    onEvent: @escaping @Sendable (CatalogueEvent) -> Void = { _ in }
  ) async throws(ServerError) -> [CatalogueEntry] {
    do throws(Errno) { return try await share.scan(onEvent: onEvent) } catch { throw .folder(error) }
  }

  /// Stops accepting, lets uploads end within `grace`, and returns when all connections are closed.
  public func stop(grace: Duration = .seconds(10)) async { await node.stop(grace: grace) }
}

/// The files that the first scan has found so far; events come on any thread. Files that come later are not for its
/// caller.
private final class FoundEntries: Sendable {
  private let entries = Mutex<[CatalogueEntry]?>([])
  func add(_ entry: CatalogueEntry) { entries.withLock { $0?.append(entry) } }
  func takeAll() -> [CatalogueEntry] { entries.withLock { $0.take() ?? [] } }
}
