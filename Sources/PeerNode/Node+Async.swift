// The async functions of a node. They never block the caller's thread.
import Posix
import Storage
import Synchronization

extension Node {
  /// Offers the files of a folder, as soon as `scan` has found and hashed them.
  /// - `stateFolder`: an existing folder that keeps the hashes of the files, 0.2 % of the data, for the next start. If
  ///   it lies in the served folder, the files with these hashes are not served.
  /// - `rules`: which files are left out, and which folders have an ID of their own.
  public func share(
    _ folder: String, stateFolder: String, rules: ServingRules = ServingRules()
  ) async throws(ServerError) -> FolderShare {
    try await Thread.blocking("p2p-share") { () throws(ServerError) in
      try self.share(folder, stateFolder: stateFolder, rules: rules)
    }
  }

  /// Cancels all downloads, stops accepting, lets uploads end within `grace`, and returns when all connections are
  /// closed. Any task may call it. A second call waits for the same end and ignores its own `grace`. Cancelling the
  /// task does not shorten the wait.
  public func stop(grace: Duration = .seconds(10)) async {
    await Thread.blocking("p2p-stop") { self.shutDown(grace: grace) }
  }

  /// Begins to stop like `stop`, and returns at once.
  package func beginStop(grace: Duration) { Thread.start(name: "p2p-stop") { self.shutDown(grace: grace) }.detach() }
}

extension FolderShare {
  /// Finds the folder's files, hashes new and changed ones, and returns all served files. From then on the node follows
  /// the folder.
  /// - `onEvent`: called on threads of the node, which wait for it; also for later changes in the folder.
  /// - Throws: why the folder cannot be listed. A second call throws the code `Errno.already`. If the task is cancelled
  ///   or the node stops, the code is `Errno.cancelled`, and the folder is not followed.
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

  /// Stops serving the folder's files. Peers with an open file are notified, unless another folder of the node serves
  /// the same bytes. Returns when no thread uses the folder.
  public func remove() async { await Thread.blocking("p2p-remove") { self.remove() } }
}

extension Server {
  /// Finds the folder's files, hashes new and changed ones, and returns all served files. From then on the node follows
  /// the folder (`FolderShare.scan`).
  @discardableResult public func scanFolder(
    onEvent: @escaping @Sendable (CatalogueEvent) -> Void = { _ in }
  ) async throws(ServerError) -> [CatalogueEntry] {
    do throws(Errno) { return try await share.scan(onEvent: onEvent) } catch { throw .folder(error) }
  }

  /// Stops accepting, lets uploads end within `grace`, and returns when all connections are closed.
  public func stop(grace: Duration = .seconds(10)) async { await node.stop(grace: grace) }
}

/// The files that the first scan has found so far. Events come on any thread. Files that come after `takeAll` are
/// dropped.
private final class FoundEntries: Sendable {
  private let entries = Mutex<[CatalogueEntry]?>([])
  func add(_ entry: CatalogueEntry) { entries.withLock { $0?.append(entry) } }
  func takeAll() -> [CatalogueEntry] { entries.withLock { $0.take() ?? [] } }
}
