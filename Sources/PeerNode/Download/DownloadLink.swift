// The part of a download that other threads use: what it fetches, its blocks, and messages to its state.
import Content
import Posix
import Storage
import Synchronization
import Transfer
import Wire

/// A download as its connections and the threads shared by all downloads see it. Any thread may call it.
final class DownloadLink: Sendable {
  let id: DownloadID
  let fileID: FileID
  let key: FileKey
  /// The layout of a folder whose contents are fetched. Nil: a file or a listing is fetched.
  let folder: FolderLayout?
  /// The key by which discovery finds peers. For a folder's contents it is the key of the folder.
  let searchKey: FileKey
  let blocks: DownloadBlocks
  /// The threads that all downloads of the node share.
  let threads: DownloadThreads
  /// The download's pieces that wait for verification.
  private let pieces: VerifyPool.Lane
  private let place = Mutex<VerifiedSink?>(nil)
  private let cancelled = StopFlag()
  private let uploadCount = Atomic<UInt64>(0)

  /// - `folder`: if the contents of a folder are fetched, their layout and the folder's key.
  /// - `onBlocksAvailable`: called when connections that were refused a block may take one.
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

  /// The content that the connections fetch.
  var fetchTarget: FetchTarget { FetchTarget(fileID: fileID, key: key, folder: folder) }

  /// The file bytes of this content that were sent to peers.
  var uploadedBytes: UInt64 { uploadCount.load(ordering: .relaxed) }
  func uploaded(_ byteCount: Int) { uploadCount.add(UInt64(byteCount), ordering: .relaxed) }

  /// Sends a message to the download. The control thread drops it if the download has ended.
  func send(_ message: DownloadMessage) { threads.control.send(.message(id, message)) }

  /// Cancels the download, even if it has not begun yet.
  func cancel() {
    cancelled.set()
    send(.cancelled)
  }

  /// Whether the program cancelled the download. Needed because a message that arrives before the download begins is
  /// dropped.
  var isCancelled: Bool { cancelled.isSet }

  // MARK: Pieces

  /// The destination of verified pieces; nil before it is ready, when nothing was requested yet.
  var sink: VerifiedSink? { place.withLock { $0 } }

  /// Sets the destination of verified pieces, and starts the verifying threads.
  func beginVerifying(into sink: VerifiedSink) {
    place.withLock { $0 = sink }
    threads.verifiers.start()
  }

  func verify(_ new: [VerifyJob]) {
    blocks.handOver(new.count)
    if !threads.verifiers.put(new, in: pieces) { drop(new) }
  }

  /// Ends the verification of pieces, then sends `workEnded`. Called once.
  /// - `discarding`: whether waiting pieces are dropped. If not, they are still verified.
  func endVerifying(discarding: Bool) {
    drop(
      threads.verifiers.close(pieces, discarding: discarding) {
        self.place.withLock { $0 = nil }  // the sink holds descriptors
        self.send(.workEnded)
      })
  }

  private func drop(_ jobs: [VerifyJob]) { for job in jobs { blocks.verified(job.block) } }
}
