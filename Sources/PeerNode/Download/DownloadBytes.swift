// The bytes of a download as an async sequence, for programs that pass them on instead of keeping a file.
import Content
import Posix
import Transfer
import Wire

/// The verified bytes of a file, in order, made by `Downloader.bytes` or `Node.bytes`. A folder comes as a tar archive.
/// Each element has 1 to about 270,000 bytes.
///
/// Nothing is written to a disk. The download fetches at most 16 chunks more than the program has read, so a slow
/// reader slows it down. It is cancelled when the reading task is cancelled, when the loop is left, and when the
/// program drops the sequence. If the download does not finish, the sequence throws the reason. The bytes before that
/// are correct, but incomplete.
///
/// Only one loop may read a sequence.
public struct DownloadBytes: AsyncSequence, Sendable {
  public typealias Element = [UInt8]
  public typealias Failure = DownloadError

  /// The download, with its updates, and with its result after the last byte.
  public var download: Download { owner.download }

  private let passage: BytePassage
  private let owner: Owner

  /// Starts the download.
  init(_ start: (DownloadTarget) -> Download) {
    passage = BytePassage()
    owner = Owner(start(.sequence(passage)))
  }

  public func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(passage: passage, owner: Owner(download))
  }

  public struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let passage: BytePassage
    fileprivate let owner: Owner

    /// Returns the next bytes; nil after the last one.
    public mutating func next() async throws(DownloadError) -> [UInt8]? {
      try await next(isolation: #isolation)
    }

    /// Returns the next bytes; nil after the last one.
    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(DownloadError) -> [UInt8]? {
      let (passage, download) = (passage, owner.download)
      let bytes = await withTaskCancellationHandler {
        await passage.next()
      } onCancel: {
        download.cancel()
      }
      if let bytes { return bytes }
      _ = try await download.result()
      return nil
    }
  }

  /// Cancels the download when the last reference goes.
  fileprivate final class Owner: Sendable {
    let download: Download
    init(_ download: Download) { self.download = download }
    deinit { download.cancel() }
  }
}

extension Node {
  /// Fetches a file or a folder as a sequence of bytes. Starts at once. The parameters are those of `download`.
  public func bytes(
    of fileID: FileID, length: UInt64? = nil, from peers: [PeerSource],
    settings: DownloadSettings = DownloadSettings(), folder: FolderOptions = FolderOptions()
  ) -> DownloadBytes {
    DownloadBytes { target in
      download(fileID, length: length, from: peers, to: target, settings: settings, folder: folder)
    }
  }
}

extension Downloader {
  /// Fetches a file or a folder as a sequence of bytes. Starts at once.
  public func bytes(of fileID: FileID) -> DownloadBytes { bytes(of: fileID, from: client.peers) }

  /// Fetches the file of a link as a sequence of bytes, from the link's peers too. Starts at once.
  public func bytes(of link: FileLink) -> DownloadBytes {
    bytes(
      of: link.fileID, length: link.length, from: link.peers.map(PeerSource.init) + client.peers)
  }

  /// Fetches a file or a folder as a sequence of bytes from the given peers. Starts at once.
  /// - `length`: the expected length of the file in bytes, checked before anything is fetched; nil: any.
  public func bytes(
    of fileID: FileID, length: UInt64? = nil, from peers: [PeerSource],
    folder: FolderOptions = FolderOptions()
  ) -> DownloadBytes {
    DownloadBytes { target in start(fileID, length: length, from: peers, to: target, folder: folder)
    }
  }
}
