// Downloads for programs that use Swift's concurrency: nothing here blocks the caller's thread.
import Content
import Posix
import Storage
import Synchronization
import Transfer
import Wire

extension Downloader {
  /// Starts to fetch a file, on a thread of its own, into the downloader's storage.
  public func start(_ fileID: FileID) -> Download {
    start(fileID, length: nil, from: client.peers, to: storage)
  }

  /// Starts to fetch the file of a link, also from the peers that it names, and under its name where the storage has none.
  public func start(_ link: FileLink) -> Download {
    var storage = storage
    storage.suggestedName = storage.suggestedName ?? link.name
    return start(link.fileID, length: link.length, from: link.peers.map(PeerSource.init) + client.peers, to: storage)
  }

  private func start(
    _ fileID: FileID, length: UInt64?, from peers: [PeerSource], to target: DownloadTarget
  ) -> Download {
    let download = Download(fileID)
    Thread.start(name: "p2p-download") {
      do throws(DownloadError) {
        download.ended(
          .success(
            try self.run(
              fileID, length: length, from: peers, to: target, began: { download.began($0) },
              onUpdate: { download.tell($0) })))
      } catch {
        download.ended(.failure(error))
      }
    }.detach()
    return download
  }

  /// Fetches a file into the downloader's storage. Cancelling the task ends the download.
  /// - Throws: why it did not finish; what was verified is kept in the part file, for a later download.
  public func downloadFile(_ fileID: FileID) async throws(DownloadError) -> DownloadResult {
    try await finished(start(fileID))
  }

  /// Fetches the file of a link; else like `downloadFile(_:)` of a fileID.
  public func downloadFile(_ link: FileLink) async throws(DownloadError) -> DownloadResult {
    try await finished(start(link))
  }

  private func finished(_ download: Download) async throws(DownloadError) -> DownloadResult {
    let result = await withTaskCancellationHandler {
      do throws(DownloadError) {
        return Result<DownloadResult, DownloadError>.success(try await download.result())
      } catch {
        return Result<DownloadResult, DownloadError>.failure(error)
      }
    } onCancel: {
      download.cancel()
    }
    return try result.get()
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
          continuation.resume(returning: Result<[CatalogueEntry], ServerError>.success(found.all))
        } catch {
          continuation.resume(returning: Result<[CatalogueEntry], ServerError>.failure(error))
        }
      }.detach()
    }
    return try result.get()
  }

  /// Stops accepting, finishes what is being sent within `grace`, and returns when all is closed.
  public func stop(grace: Duration = .seconds(10)) async {
    await withCheckedContinuation { continuation in
      Thread.start(name: "p2p-stop") {
        self.shutDown(grace: grace)
        continuation.resume()
      }.detach()
    }
  }
}

/// What a scan has found so far; events come on any thread.
private final class FoundEntries: Sendable {
  private let entries = Mutex<[CatalogueEntry]>([])
  var all: [CatalogueEntry] { entries.withLock { $0 } }
  func add(_ entry: CatalogueEntry) { entries.withLock { $0.append(entry) } }
}
