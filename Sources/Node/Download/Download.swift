// A download that runs on a thread of its own: its events as a sequence, its result, and its end.
import Content
import Synchronization
import Transfer

/// One download, started by `Downloader.start`. It goes on if the program drops this object.
public final class Download: Sendable {
  /// Updates that wait for the reader of `updates`. If the reader falls further behind, the oldest are lost; the statistics
  /// at the end cover them all.
  public static let updatesWaitingMax = 4_096

  /// The file that is fetched.
  public let fileID: FileID
  /// The events of the download, in order, until it ends. One task may read them; none has to.
  public let updates: AsyncStream<DownloadUpdate>

  private let isWatched: Bool
  private let continuation: AsyncStream<DownloadUpdate>.Continuation
  private struct State {
    var control: Mailbox<DownloadMessage>?
    var isCancelled = false
    var result: Result<DownloadResult, DownloadError>?
    var waiting: [CheckedContinuation<Result<DownloadResult, DownloadError>, Never>] = []
  }
  private let state = Mutex(State())

  /// - `isWatched`: whether the program can read its updates; if not, there are none.
  init(_ fileID: FileID, isWatched: Bool) {
    self.fileID = fileID
    self.isWatched = isWatched
    (updates, continuation) = AsyncStream.makeStream(
      bufferingPolicy: .bufferingNewest(Download.updatesWaitingMax))
  }

  /// Waits for the end. Cancelling the task that waits cancels the download.
  /// - Throws: why it did not finish. Verified data stays in the part file, for a later download.
  public func result() async throws(DownloadError) -> DownloadResult {
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let result = state.withLock { state in
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

  /// Ends it, from any thread: it fails with `.failed(.cancelled, …)`, unless it has ended.
  public func cancel() {
    let control = state.withLock { state in
      state.isCancelled = true
      return state.control
    }
    control?.send(.cancelled)
  }

  func report(_ update: DownloadUpdate) { if isWatched { continuation.yield(update) } }

  /// It runs, and its control thread listens to this mailbox.
  func began(_ control: Mailbox<DownloadMessage>) {
    let isCancelled = state.withLock { state in
      state.control = control
      return state.isCancelled
    }
    if isCancelled { control.send(.cancelled) }
  }

  func ended(_ result: Result<DownloadResult, DownloadError>) {
    let waiting = state.withLock { state in
      state.result = result
      state.control = nil
      defer { state.waiting = [] }
      return state.waiting
    }
    continuation.finish()
    for one in waiting { one.resume(returning: result) }
  }
}
