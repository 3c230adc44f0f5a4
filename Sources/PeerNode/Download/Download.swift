// A download of a node, which runs on the node's threads: its events, its numbers, its pauses, and its result.
import Content
import Posix
import Transfer

/// One download, started by `Node.download` or `Downloader.start`. It goes on if the program drops this object.
public final class Download: Sendable {
  /// Updates that wait for the program. If it falls further behind, only the newest progress waits, the complete files of
  /// a folder wait together, and the oldest reports of chunks and peers are lost; the statistics at the end cover them all.
  public static let updatesWaitingMax = 4_096

  /// The file that is fetched.
  public let fileID: FileID
  /// The events of the download, in order, until it ends. No task has to read them. If several do, each event goes to one of
  /// them; when one of those tasks is cancelled, the sequence ends for all.
  public let updates: AsyncStream<DownloadUpdate>

  let queue: UpdateQueue
  typealias Outcome = Result<DownloadResult, DownloadError>
  fileprivate struct State {
    /// The way to it; nil before it runs, and while it is paused.
    var link: DownloadLink?
    var isCancelled = false
    var pause = Pause.none
    /// Starts it again after a pause.
    var restart: @Sendable () -> Void = {}
    /// Ends it after a pause.
    var onEnd: @Sendable (Outcome) -> Void = { _ in }
    /// The numbers up to the last pause.
    var earlier: DownloadStats?
    var result: Outcome?
    var waiting: [CheckedContinuation<Outcome, Never>] = []
    var asking: [@Sendable (DownloadStats?) -> Void] = []
  }
  fileprivate enum Pause: Sendable {
    case none
    /// It still runs, and pauses as soon as its data is on the disk.
    case wanted
    /// The error that it ends with if it is cancelled now.
    case paused(DownloadError)
  }
  private let state = Monitor(State())

  /// Whether its bytes leave in order and are not kept: it cannot go on where it was.
  private let isStream: Bool
  /// The way to the task that reads its bytes; nil if none does.
  private let passage: BytePassage?

  /// - `target`: where its bytes go; nil: into a file.
  /// - `isWatched`: whether the program can read its updates; if not, there are none.
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
  func wait() throws(DownloadError) -> DownloadResult { try outcome.get() }

  /// Blocks until the end.
  var outcome: Outcome { state.wait { $0.result } }

  /// Whether it has ended.
  public var isOver: Bool { state.change { $0.result != nil } }

  /// Ends it, from any thread: it fails with `.failed(.cancelled, …)`, unless it has ended. `DownloadError.isCancelled` is
  /// true then.
  public func cancel() {
    let (link, ending) = state.change { state -> (DownloadLink?, (DownloadError, @Sendable (Outcome) -> Void)?) in
      state.isCancelled = true
      guard case .paused(let error) = state.pause else { return (state.link, nil) }
      // The error has the numbers over all pauses.
      (state.pause, state.earlier, state.link) = (.none, nil, nil)
      return (nil, (error, state.onEnd))
    }
    link?.cancel()
    if let (error, onEnd) = ending { onEnd(.failure(error)) }
  }

  // MARK: Pausing

  /// Fetches nothing more until `resume`: connections are given back, and verified data stays on the disk. A file that is
  /// complete already is offered no longer, and the download ends.
  /// - Returns: false if it has ended, is cancelled, or goes to a stream, which keeps nothing to go on with.
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

  /// Goes on after a pause, with what is on the disk.
  /// - Returns: false if it is not paused. Then it has ended, or still writes what it has: try again.
  @discardableResult public func resume() -> Bool {
    let restart = state.change { state -> (@Sendable () -> Void)? in
      guard case .paused = state.pause else { return nil }
      state.pause = .none
      return state.restart
    }
    restart?()
    return restart != nil
  }

  /// Whether it is paused: all that it has is on the disk, and it uses no connection.
  public var isPaused: Bool { state.change { $0.isPaused } }

  /// Blocks until it is paused or over. Returns whether it is paused.
  func waitForPause() -> Bool { state.wait { $0.isPaused ? true : $0.result != nil ? false : nil } }

  // MARK: Numbers

  /// The numbers so far, over all pauses. Nil before it has begun, and if it could not begin.
  public func statistics() async -> DownloadStats? {
    await withCheckedContinuation { continuation in askStatistics { continuation.resume(returning: $0) } }
  }

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

  /// Updates that were lost because the program did not read them in time.
  public var lostUpdates: Int { queue.lostCount }

  // MARK: The node's side

  /// The way to it while it runs, and after; nil before, and while it is paused.
  var link: DownloadLink? { state.change { $0.link } }

  /// It runs, and takes messages.
  /// - `restart`: starts it again, after a pause.
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

  /// It runs no longer. False: it is paused. True: it is over, and `end` follows.
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

  /// The node has ended, so the download cannot begin or go on: its error, with the numbers up to the last pause.
  func takeStoppedError() -> DownloadError {
    let earlier = state.change { $0.earlier.take() }
    return .failed(.cancelled, earlier ?? DownloadStats(), part: nil)
  }

  /// It is over.
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

  /// The numbers over all pauses. Nil for `stats`: those up to the last pause, or to the end.
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
