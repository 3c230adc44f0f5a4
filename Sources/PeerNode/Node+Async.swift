// A node for programs that use Swift's concurrency: nothing here blocks the caller's thread.
import Posix
import Storage
import Synchronization

extension Node {
  /// Cancels all downloads, stops accepting, lets uploads end within `grace`, and returns when all connections are closed.
  public func stop(grace: Duration = .seconds(10)) async { await blocking("p2p-stop") { self.shutDown(grace: grace) } }
}

extension FolderShare {
  /// Finds the folder's files and hashes those that are new or changed; returns them when all are served, and follows
  /// the folder from then on. Called once.
  /// - Throws: why the folder cannot be listed.
  public func scan() async throws(Errno) -> [CatalogueEntry] {
    let found = FoundEntries()
    let result = await blocking("p2p-scan") { () -> Result<Void, Errno> in
      do throws(Errno) {
        return .success(try self.scan { event in if case .added(let entry) = event { found.add(entry) } })
      } catch {
        return .failure(error)
      }
    }
    try result.get()
    return found.takeAll()
  }
}

extension Server {
  /// Finds the folder's files and hashes those that are new or changed; returns them when all are served, and follows
  /// the folder from then on. Called once.
  public func scanFolder() async throws(ServerError) -> [CatalogueEntry] {
    do throws(Errno) { return try await share.scan() } catch { throw .folder(error) }
  }

  /// Stops accepting, lets uploads end within `grace`, and returns when all connections are closed.
  public func stop(grace: Duration = .seconds(10)) async { await node.stop(grace: grace) }
}

/// Runs `body`, which blocks, on a thread of its own.
private func blocking<Result: Sendable>(_ name: String, _ body: @escaping @Sendable () -> Result) async -> Result {
  await withCheckedContinuation { continuation in
    Thread.start(name: name) { continuation.resume(returning: body()) }.detach()
  }
}

/// The files that the first scan has found so far; events come on any thread. Files that come later are not for its
/// caller.
private final class FoundEntries: Sendable {
  private let entries = Mutex<[CatalogueEntry]?>([])
  func add(_ entry: CatalogueEntry) { entries.withLock { $0?.append(entry) } }
  func takeAll() -> [CatalogueEntry] { entries.withLock { $0.take() ?? [] } }
}
