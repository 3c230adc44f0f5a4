// A program's handle of a download: its updates, statistics, pauses and result.
import Content
import Posix
import Transfer

/// One download, started by `Node.download` or `Downloader.start`. It runs on the node's threads, and goes on if the
/// program drops this object.
public final class Download: Sendable {
  /// The most updates that wait for the program. If it falls further behind, only the newest progress is kept, complete
  /// files of a folder are merged into one update, and the oldest reports of chunks and peers are dropped. The final
  /// statistics cover them all.
  public static let updatesWaitingMax = 4_096

  /// The ID of the file or folder that is fetched.
  public let fileID: FileID
  /// The events of the download, in order, until it ends. No task has to read them. If several do, each event goes to
  /// one of them; if one of these tasks is cancelled, the sequence ends for all.
  public let updates: AsyncStream<DownloadUpdate>

  let queue: UpdateQueue
  typealias Outcome = Result<DownloadResult, DownloadError>
  fileprivate struct State {
    /// The link to the running download; nil before it runs, and while it is paused.
    var link: DownloadLink?
    var isCancelled = false
    var pause = Pause.none
    /// Starts the download again after a pause.
    var restart: @Sendable () -> Void = {}
    /// Ends the download while it is paused.
    var onEnd: @Sendable (Outcome) -> Void = { _ in }
    /// The statistics up to the last pause.
    var earlier: DownloadStats?
    var result: Outcome?
    var waiting: [CheckedContinuation<Outcome, Never>] = []
    var asking: [@Sendable (DownloadStats?) -> Void] = []
  }
  fileprivate enum Pause: Sendable {
    case none
    /// The download still runs, and pauses as soon as its data is on the disk.
    case wanted
    /// Paused. If it is cancelled now, it ends with this error.
    case paused(DownloadError)
  }
  private let state = Monitor(State())

  /// Whether the bytes go to a stream, which keeps nothing: the download cannot be resumed.
  private let isStream: Bool
  /// The buffer to the task that reads the bytes; nil if the output is not a sequence.
  private let passage: BytePassage?

  /// - `target`: the place of the output; nil: a file.
  /// - `isWatched`: whether the program can read the updates. If not, they are dropped.
  init(_ fileID: FileID, to target: DownloadTarget? = nil, isWatched: Bool) {
    self.fileID = fileID
    isStream = target?.isStream ?? false
    passage = target?.passage
    let queue = UpdateQueue(isRead: isWatched)
    self.queue = queue
    updates = AsyncStream {
      await queue.next()
    } onCancel: {
      queue.abandon()
    }
  }

  // MARK: The end

  /// Waits for the end and returns the result. Cancelling the waiting task cancels the download.
  /// - Throws: why the download did not finish. Verified data stays in the part file for a later download.
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
  func wait() throws(DownloadError) -> DownloadResult { try outcome.get() }

  /// Blocks until the end.
  var outcome: Outcome { state.wait { $0.result } }

  /// Whether the download has ended.
  public var isOver: Bool { state.change { $0.result != nil } }

  /// Cancels the download: it fails with `.failed(.cancelled, …)`, unless it has ended already.
  /// `DownloadError.isCancelled` is true then. Any thread may call it.
  public func cancel() {
    let (link, ending) = state.change { state -> (DownloadLink?, (DownloadError, @Sendable (Outcome) -> Void)?) in
      state.isCancelled = true
      guard case .paused(let error) = state.pause else { return (state.link, nil) }
      // The error already contains the statistics over all pauses.
      (state.pause, state.earlier, state.link) = (.none, nil, nil)
      return (nil, (error, state.onEnd))
    }
    link?.cancel()
    if let (error, onEnd) = ending { onEnd(.failure(error)) }
  }

  // MARK: Pausing

  /// Pauses the download until `resume`: connections are released, and verified data stays on the disk. If the file is
  /// complete already, it is no longer offered, and the download ends.
  /// - Returns: false if the download has ended, is cancelled, or goes to a stream, which cannot be resumed.
  @discardableResult public func pause() -> Bool {
    guard !isStream else { return false }
    let link = state.change { state -> DownloadLink?? in
      guard state.result == nil, !state.isCancelled else { return nil }
      guard case .none = state.pause else { return .some(nil) }
      state.pause = .wanted
      return .some(state.link)
    }
    guard let link else { return false }
    link?.cancel()
    return true
  }

  /// Continues after a pause, with the data on the disk.
  /// - Returns: false if the download is not paused. It has ended, or it still writes its data: then try again.
  @discardableResult public func resume() -> Bool {
    let restart = state.change { state -> (@Sendable () -> Void)? in
      guard case .paused = state.pause else { return nil }
      state.pause = .none
      return state.restart
    }
    restart?()
    return restart != nil
  }

  /// Whether the download is paused: its data is on the disk, and it uses no connection.
  public var isPaused: Bool { state.change { $0.isPaused } }

  /// Blocks until the download is paused or has ended. Returns whether it is paused.
  func waitForPause() -> Bool { state.wait { $0.isPaused ? true : $0.result != nil ? false : nil } }

  // MARK: Numbers

  /// Returns the statistics so far, over all pauses. Nil if the download has not begun, or could not begin.
  public func statistics() async -> DownloadStats? {
    await withCheckedContinuation { continuation in askStatistics { continuation.resume(returning: $0) } }
  }

  /// Asks for the statistics so far.
  /// - `onAnswer`: called once, on a thread that must not wait.
  func askStatistics(_ onAnswer: @escaping @Sendable (DownloadStats?) -> Void) {
    let (link, known) = state.change { state -> (DownloadLink?, DownloadStats?) in
      if case .none = state.pause, state.result == nil, let link = state.link {
        state.asking.append(onAnswer)
        return (link, nil)
      }
      return (nil, state.result.flatMap { $0.stats } ?? state.earlier)
    }
    guard let link else { return onAnswer(known) }
    link.send(.statisticsWanted { [self] in answer($0) })
  }

  private func answer(_ stats: DownloadStats?) {
    let (asking, sum) = state.change { state in
      defer { state.asking = [] }
      return (state.asking, state.total(stats))
    }
    for one in asking { one(sum) }
  }

  /// The number of updates that were dropped because the program did not read them in time.
  public var lostUpdates: Int { queue.lostCount }

  // MARK: The node's side

  /// The link to the download, from its begin on; nil before, and while it is paused.
  var link: DownloadLink? { state.change { $0.link } }

  /// Notes that the download runs and accepts messages.
  /// - `restart`: starts it again after a pause.
  /// - `onEnd`: called if it ends while it is paused.
  func began(
    _ link: DownloadLink, restart: @escaping @Sendable () -> Void, onEnd: @escaping @Sendable (Outcome) -> Void
  ) {
    let isStopped = state.change { state in
      (state.link, state.restart, state.onEnd) = (link, restart, onEnd)
      if case .wanted = state.pause { return true }
      return state.isCancelled
    }
    if isStopped { link.cancel() }
  }

  /// Notes that the download no longer runs. Returns false if it is paused, and true if it has ended: then the caller
  /// calls `end`.
  func stopped(_ outcome: Outcome) -> Bool {
    let isPaused = state.change { state in
      guard case .wanted = state.pause else { return false }
      guard !state.isCancelled, case .failure(.failed(.cancelled, let stats, let part)) = outcome else {
        state.pause = .none
        return false
      }
      let sum = state.total(stats) ?? stats
      (state.earlier, state.link) = (sum, nil)
      state.pause = .paused(.failed(.cancelled, sum, part: part))
      return true
    }
    if isPaused { answer(nil) }
    return !isPaused
  }

  /// Returns the error of a download that cannot begin or continue because its node has ended, with the statistics up
  /// to the last pause.
  func takeStoppedError() -> DownloadError {
    let earlier = state.change { $0.earlier.take() }
    return .failed(.cancelled, earlier ?? DownloadStats(), part: nil)
  }

  /// Ends the download with an outcome.
  func end(_ outcome: Outcome) {
    let (outcome, waiting) = state.change { state in
      let outcome = state.final(outcome)
      state.result = outcome
      (state.restart, state.onEnd) = ({}, { _ in })
      defer { state.waiting = [] }
      return (outcome, state.waiting)
    }
    queue.close()
    passage?.close()
    answer(nil)
    for one in waiting { one.resume(returning: outcome) }
  }
}

extension Download.State {
  fileprivate var isPaused: Bool { if case .paused = pause { true } else { false } }

  /// Returns the statistics over all pauses.
  /// - `stats`: those since the last pause; nil: none, or the download has ended.
  fileprivate func total(_ stats: DownloadStats?) -> DownloadStats? {
    guard var stats else { return result?.stats ?? earlier }
    stats.uploadedBytes = link?.uploadedBytes ?? stats.uploadedBytes
    return earlier.map { stats.adding($0) } ?? stats
  }

  fileprivate func final(_ outcome: Download.Outcome) -> Download.Outcome {
    switch outcome {
    case .success(var result):
      result.stats = total(result.stats) ?? result.stats
      return .success(result)
    case .failure(.failed(let failure, let stats, let part)):
      return .failure(.failed(failure, total(stats) ?? stats, part: part))
    case .failure: return outcome
    }
  }
}

extension Result<DownloadResult, DownloadError> {
  fileprivate var stats: DownloadStats? {
    switch self {
    case .success(let result): result.stats
    case .failure(.failed(_, let stats, _)): stats
    case .failure: nil
    }
  }
}
