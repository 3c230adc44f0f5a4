// A download of a node, which runs on the node's threads: its events as a sequence, its result, and its end.
import Content
import Posix
import Transfer

/// One download, started by `PeerNode.download` or `Downloader.start`. It goes on if the program drops this object.
public final class Download: Sendable {
  /// Updates that wait for the program. If it falls further behind, only the newest progress waits, and the oldest reports
  /// of chunks and peers are lost; the statistics at the end cover them all.
  public static let updatesWaitingMax = 4_096

  /// The file that is fetched.
  public let fileID: FileID
  /// The events of the download, in order, until it ends. One task may read them; none has to.
  public let updates: AsyncStream<DownloadUpdate>

  let queue: UpdateQueue
  private struct State {
    var link: DownloadLink?
    var isCancelled = false
    var result: Result<DownloadResult, DownloadError>?
    var waiting: [CheckedContinuation<Result<DownloadResult, DownloadError>, Never>] = []
  }
  private let state = Monitor(State())

  /// - `isWatched`: whether the program can read its updates; if not, there are none.
  init(_ fileID: FileID, isWatched: Bool) {
    self.fileID = fileID
    let queue = UpdateQueue(isRead: isWatched)
    self.queue = queue
    updates = AsyncStream {
      await queue.next()
    } onCancel: {
      queue.abandon()
    }
  }

  /// Waits for the end. Cancelling the task that waits cancels the download.
  /// - Throws: why it did not finish. Verified data stays in the part file, for a later download.
  public func result() async throws(DownloadError) -> DownloadResult {
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let result = state.change { state in
          if state.result == nil { state.waiting.append(continuation) }
          return state.result
        }
        if let result { continuation.resume(returning: result) }
      }
    } onCancel: {
      cancel()
    }
    return try result.get()
  }

  /// Blocks until the end.
  func wait() throws(DownloadError) -> DownloadResult { try state.wait { $0.result }.get() }

  /// Ends it, from any thread: it fails with `.failed(.cancelled, …)`, unless it has ended.
  public func cancel() {
    let link = state.change { state in
      state.isCancelled = true
      return state.link
    }
    link?.cancel()
  }

  /// Updates that were lost because the program did not read them in time.
  public var lostUpdates: Int { queue.lostCount }

  /// The way to it while it runs, and after; nil before.
  var link: DownloadLink? { state.change { $0.link } }

  /// Whether it has ended.
  public var isOver: Bool { state.change { $0.result != nil } }

  /// It runs, and takes messages.
  func began(_ link: DownloadLink) {
    let isCancelled = state.change { state in
      state.link = link
      return state.isCancelled
    }
    if isCancelled { link.cancel() }
  }

  func ended(_ result: Result<DownloadResult, DownloadError>) {
    let waiting = state.change { state in
      state.result = result.map { result in
        var result = result
        result.stats.uploadedBytes = state.link?.uploadedBytes ?? 0
        return result
      }
      defer { state.waiting = [] }
      return state.waiting
    }
    queue.close()
    let final = state.change { $0.result } ?? result
    for one in waiting { one.resume(returning: final) }
  }
}
