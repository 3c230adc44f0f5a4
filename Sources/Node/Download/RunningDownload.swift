// A download with a node and threads of its own, as a `Downloader` runs it.
import Content
import Posix
import Storage
import Transfer

/// One download of a `Downloader`, from its start to its end. Confined to the thread that makes it.
final class RunningDownload {
  let link: DownloadLink
  private let node: FetchingNode
  private let threads: DownloadThreads
  private let result = Monitor<Result<DownloadResult, DownloadError>?>(nil)
  /// Called when it has ended.
  var onEnd: () -> Void = {}

  /// - `listen`: nil: no other node can dial in.
  init(_ fileID: FileID, _ configuration: NodeConfiguration, listen: Endpoint?) throws(DownloadError) {
    node = try FetchingNode(configuration, listen: listen)
    do throws(Errno) { threads = try DownloadThreads() } catch { throw .system(error) }
    link = DownloadRun.link(to: fileID, of: node.context, on: threads)
  }

  /// Starts the threads, then the download. After an error nothing runs.
  func start(
    _ updates: UpdateQueue, make: @escaping @Sendable (FetchingNode, Instant) -> DownloadRun
  ) throws(DownloadError) {
    do throws(Errno) {
      try node.start()
      try answer()
      try threads.start()
    } catch {
      end(nodeOf: threads)
      throw .system(error)
    }
    let result = result
    // The control thread has it until the download is over. This thread waits for that before it stops the node.
    nonisolated(unsafe) let node = node
    threads.add(link) { now in
      make(node, now)
    } onEnd: { outcome in
      result.change { $0 = outcome }
      updates.close()
    }
  }

  /// A node that asks the network for this file finds this download too, once it offers a leaf. The answerer begins before
  /// the search: both look which nodes of this machine are dead, by locks that each could take for a living node's.
  private func answer() throws(Errno) {
    guard let discovery = node.context.configuration.discovery else { return }
    let context = node.context
    try node.answer(discovery) { bucket in
      guard let share = context.share, share.key.bucket == bucket, share.isOffered else { return [] }
      return [share.key]
    }
  }

  /// Waits until the download is over, and for all threads of its node.
  func end() throws(DownloadError) -> DownloadResult {
    let outcome = result.wait { $0 }
    end(nodeOf: threads)
    var result = try outcome.get()
    result.stats.uploadedBytes = node.context.uploaded
    return result
  }

  private func end(nodeOf threads: DownloadThreads) {
    threads.stop()
    node.stop()
    onEnd()
  }
}
