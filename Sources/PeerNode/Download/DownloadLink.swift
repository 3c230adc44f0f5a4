// The part of a download that other threads use: the file that is fetched, its blocks, and the way to its state.
import Content
import Posix
import Storage
import Synchronization
import Transfer
import Wire

/// One download's side of its connections, and of the threads that it shares with other downloads.
final class DownloadLink: Sendable {
  let id: DownloadID
  let fileID: FileID
  let key: FileKey
  /// How the contents of a folder are cut, if the download fetches them. Nil: it fetches a file or a listing.
  let folder: FolderLayout?
  /// Peers that have the content are found by this key: for a folder's contents it is the folder's own.
  let searchKey: FileKey
  let blocks: DownloadBlocks
  /// The threads that it shares.
  let threads: DownloadThreads
  /// Pieces that wait to be verified.
  private let pieces: VerifyPool.Lane
  private let place = Mutex<VerifiedSink?>(nil)
  private let cancelled = StopFlag()
  private let uploadCount = Atomic<UInt64>(0)

  /// - `folder`: if the contents of a folder are fetched: how they are cut, and the folder's key.
  /// - `onBlocksAvailable`: called when connections that found no block may take one.
  init(
    fileID: FileID, key: FileKey, folder: (layout: FolderLayout, key: FileKey)? = nil, on threads: DownloadThreads,
    onBlocksAvailable: @escaping @Sendable (DownloadID) -> Void
  ) {
    let id = threads.nextID()
    self.id = id
    self.fileID = fileID
    self.key = key
    self.folder = folder?.layout
    searchKey = folder?.key ?? key
    self.threads = threads
    blocks = DownloadBlocks(threads.blocks, of: id) { onBlocksAvailable(id) }
    pieces = threads.verifiers.makeLane()
  }

  /// The file that its connections fetch.
  var fetchTarget: FetchTarget { FetchTarget(fileID: fileID, key: key, folder: folder) }

  /// File bytes of this content that were sent to peers while the download offered it.
  var uploadedBytes: UInt64 { uploadCount.load(ordering: .relaxed) }
  func uploaded(_ byteCount: Int) { uploadCount.add(UInt64(byteCount), ordering: .relaxed) }

  /// Reports to the download. Once it is over, its control thread drops the message.
  func send(_ message: DownloadMessage) { threads.control.send(.message(id, message)) }

  /// Ends the download, also if it has not begun yet.
  func cancel() {
    cancelled.set()
    send(.cancelled)
  }

  /// Whether the program has cancelled it: the message is dropped if it comes before the download.
  var isCancelled: Bool { cancelled.isSet }

  // MARK: Pieces

  /// The destination of pieces that hash; nil before there is one, and then nothing was asked for.
  var sink: VerifiedSink? { place.withLock { $0 } }

  /// The destination is ready.
  func beginVerifying(into sink: VerifiedSink) {
    place.withLock { $0 = sink }
    threads.verifiers.start()
  }

  func verify(_ new: [VerifyJob]) {
    blocks.handOver(new.count)
    if !threads.verifiers.put(new, in: pieces) { drop(new) }
  }

  /// No piece is verified any more, once those that wait are; `workEnded` follows. Called once.
  /// - `discarding`: whether pieces that wait are dropped.
  func endVerifying(discarding: Bool) {
    drop(
      threads.verifiers.close(pieces, discarding: discarding) {
        self.place.withLock { $0 = nil }  // it holds descriptors
        self.send(.workEnded)
      })
  }

  private func drop(_ jobs: [VerifyJob]) { for job in jobs { blocks.verified(job.block) } }
}
