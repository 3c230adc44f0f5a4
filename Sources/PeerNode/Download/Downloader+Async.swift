// The functions of a downloader that start downloads, and the async ones. None blocks the caller's thread.
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

  /// Starts to fetch the file of a link, from the link's peers too. If the storage gives no name, uses the link's.
  public func start(_ link: FileLink) -> Download { start(link, isWatched: true) }

  private func start(_ link: FileLink, isWatched: Bool) -> Download {
    var storage = storage
    storage.suggestedName = storage.suggestedName ?? link.name
    return start(
      link.fileID, length: link.length, from: link.peers.map(PeerSource.init) + client.peers, to: storage,
      isWatched: isWatched)
  }

  /// Starts to fetch a file or a folder from the given peers to the given place.
  /// - `length`: the expected length of the file in bytes, checked before anything is fetched; nil: any.
  /// - `folder`: the options if the ID names a folder.
  public func start(
    _ fileID: FileID, length: UInt64? = nil, from peers: [PeerSource], to target: DownloadTarget,
    folder: FolderOptions = FolderOptions()
  ) -> Download {
    start(fileID, length: length, from: peers, to: target, folder: folder, isWatched: true)
  }

  private func start(
    _ fileID: FileID, length: UInt64?, from peers: [PeerSource], to target: DownloadTarget,
    folder: FolderOptions = FolderOptions(), isWatched: Bool
  ) -> Download {
    let download = Download(fileID, to: target, isWatched: isWatched)
    start(download, length: length, from: peers, to: target, folder: folder)
    return download
  }

  /// Fetches a file into the downloader's storage. Cancelling the task cancels the download.
  /// - Throws: why the download did not finish. Verified data stays in the part file for a later download.
  public func downloadFile(_ fileID: FileID) async throws(DownloadError) -> DownloadResult {
    try await start(fileID, isWatched: false).result()
  }

  /// Fetches the file of a link, like `start(_:)`, and waits for the end. Cancelling the task cancels the download.
  public func downloadFile(_ link: FileLink) async throws(DownloadError) -> DownloadResult {
    try await start(link, isWatched: false).result()
  }

  /// Does the work of `start(_:length:from:to:folder:)`, and waits for the end. Cancelling the task cancels the
  /// download.
  /// - Throws: why the download did not finish. Verified data stays in the part file for a later download.
  public func downloadFile(
    _ fileID: FileID, length: UInt64? = nil, from peers: [PeerSource], to target: DownloadTarget,
    folder: FolderOptions = FolderOptions()
  ) async throws(DownloadError) -> DownloadResult {
    try await start(fileID, length: length, from: peers, to: target, folder: folder, isWatched: false).result()
  }
}
