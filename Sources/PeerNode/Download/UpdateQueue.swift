// The way of a download's updates to its program: the control thread never waits for the program's code.
import Posix

/// A bounded queue of updates. One task or one thread reads it.
final class UpdateQueue: Sendable {
  private struct State {
    var backlog = UpdateBacklog(countMax: Download.updatesWaitingMax)
    /// No update comes any more.
    var isClosed = false
    /// Nobody reads any more.
    var isAbandoned = false
    /// The task that reads.
    var reader: CheckedContinuation<DownloadUpdate?, Never>?
    /// Called when there is something to take, on any thread.
    var onNews: @Sendable () -> Void = {}
  }

  private let state = Monitor(State())

  /// - `isRead`: whether there is a reader; if not, updates are dropped.
  init(isRead: Bool) {
    guard !isRead else { return }
    state.change { $0.isAbandoned = true }
  }

  /// Updates that were lost because the program fell behind.
  var lostCount: Int { state.change { $0.backlog.lostCount } }

  func put(_ update: DownloadUpdate) {
    let (reader, onNews) = state.change {
      state -> (CheckedContinuation<DownloadUpdate?, Never>?, @Sendable () -> Void) in
      guard !state.isClosed, !state.isAbandoned else { return (nil, {}) }
      if let reader = state.reader.take() { return (reader, {}) }
      state.backlog.put(update)
      return (nil, state.onNews)
    }
    reader?.resume(returning: update)
    onNews()
  }

  /// No update follows.
  func close() {
    let (reader, onNews) = state.change { state in
      state.isClosed = true
      return (state.reader.take(), state.onNews)
    }
    reader?.resume(returning: nil)
    onNews()
  }

  /// From now on the reader hears when there is something to take. It must not wait in `onNews`, which is called once for
  /// what is there already.
  func announce(_ onNews: @escaping @Sendable () -> Void) {
    state.change { $0.onNews = onNews }
    onNews()
  }

  enum Taken {
    case update(DownloadUpdate)
    /// None is there, and some may follow.
    case nothing
    /// None follows.
    case end
  }

  /// The next update, without waiting for it.
  func takeNow() -> Taken {
    state.change { state in
      if let update = state.backlog.take() { return .update(update) }
      return state.isClosed || state.isAbandoned ? .end : .nothing
    }
  }

  /// The reader has gone: updates are dropped from now on.
  func abandon() {
    let reader = state.change { state in
      state.isAbandoned = true
      state.backlog = UpdateBacklog(countMax: Download.updatesWaitingMax)
      return state.reader.take()
    }
    reader?.resume(returning: nil)
  }

  /// The next update, or nil when none follows. Blocks the thread until then.
  func take() -> DownloadUpdate? {
    let next: DownloadUpdate?? = state.wait { state in
      if let update = state.backlog.take() { return .some(update) }
      return state.isClosed || state.isAbandoned ? .some(nil) : nil
    }
    return next ?? nil
  }

  /// The next update, or nil when none follows. Suspends the task until then; `abandon` ends the wait.
  func next() async -> DownloadUpdate? {
    await withCheckedContinuation { continuation in
      let next: DownloadUpdate?? = state.change { state in
        if let update = state.backlog.take() { return .some(update) }
        if state.isClosed || state.isAbandoned { return .some(nil) }
        precondition(state.reader == nil, "one task reads the updates")
        state.reader = continuation
        return nil
      }
      if let next { continuation.resume(returning: next) }
    }
  }
}
