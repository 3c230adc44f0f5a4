// Downloads for programs that use Swift's concurrency: nothing here blocks the caller's thread.
import Content
import Posix
import Storage
import Synchronization
import Transfer
import Wire

extension Downloader {
  /// Starts to fetch a file into the downloader's storage.
  public func start(_ fileID: FileID) -> Download { start(fileID, isWatched: true) }

  private func start(_ fileID: FileID, isWatched: Bool) -> Download {
    start(fileID, length: nil, from: client.peers, to: storage, isWatched: isWatched)
  }

  /// Starts to fetch the file of a link, also from the peers that it names, and under its name where the storage has none.
  public func start(_ link: FileLink) -> Download { start(link, isWatched: true) }

  private func start(_ link: FileLink, isWatched: Bool) -> Download {
    var storage = storage
    storage.suggestedName = storage.suggestedName ?? link.name
    return start(
      link.fileID, length: link.length, from: link.peers.map(PeerSource.init) + client.peers, to: storage,
      isWatched: isWatched)
  }

  private func start(
    _ fileID: FileID, length: UInt64?, from peers: [PeerSource], to target: DownloadTarget, isWatched: Bool
  ) -> Download {
    let download = Download(fileID, isWatched: isWatched)
    start(download, length: length, from: peers, to: target)
    return download
  }

  /// Fetches a file into the downloader's storage. Cancelling the task ends the download.
  /// - Throws: why it did not finish. Verified data stays in the part file, for a later download.
  public func downloadFile(_ fileID: FileID) async throws(DownloadError) -> DownloadResult {
    try await start(fileID, isWatched: false).result()
  }

  /// Fetches the file of a link; else like `downloadFile(_:)` of a fileID.
  public func downloadFile(_ link: FileLink) async throws(DownloadError) -> DownloadResult {
    try await start(link, isWatched: false).result()
  }
}

extension Server {
  /// Finds the folder's files and hashes those that are new or changed; returns them when all are served, and follows
  /// the folder from then on. Called once.
  public func scanFolder() async throws(ServerError) -> [CatalogueEntry] {
    let found = FoundEntries()
    let result = await withCheckedContinuation { continuation in
      Thread.start(name: "p2p-scan") {
        do throws(ServerError) {
          try self.scan { event in if case .added(let entry) = event { found.add(entry) } }
          continuation.resume(returning: Result<[CatalogueEntry], ServerError>.success(found.takeAll()))
        } catch {
          continuation.resume(returning: Result<[CatalogueEntry], ServerError>.failure(error))
        }
      }.detach()
    }
    return try result.get()
  }

  /// Stops accepting, lets uploads end within `grace`, and returns when all connections are closed.
  public func stop(grace: Duration = .seconds(10)) async {
    await withCheckedContinuation { continuation in
      Thread.start(name: "p2p-stop") {
        self.shutDown(grace: grace)
        continuation.resume()
      }.detach()
    }
  }
}

/// The files that the first scan has found so far; events come on any thread. Files that come later are not for its
/// caller.
private final class FoundEntries: Sendable {
  private let entries = Mutex<[CatalogueEntry]?>([])
  func add(_ entry: CatalogueEntry) { entries.withLock { $0?.append(entry) } }
  func takeAll() -> [CatalogueEntry] { entries.withLock { $0.take() ?? [] } }
}
