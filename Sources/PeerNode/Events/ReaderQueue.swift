// The way of updates and events to their program: the threads of a node never wait for the program's code.
import Posix

/// A bounded list of what a program has not read yet. It decides what is lost if the program falls behind.
protocol ReaderBacklog: Sendable {
  associatedtype Element: Sendable
  /// Elements that were lost.
  var lostCount: Int { get }
  /// An empty one.
  init()
  mutating func put(_ element: Element)
  /// The next element; nil if none waits.
  mutating func take() -> Element?
}

/// A bounded queue. One task or one thread reads it; of several, each element goes to one.
final class ReaderQueue<Backlog: ReaderBacklog>: Sendable {
  typealias Element = Backlog.Element

  private struct State {
    var backlog = Backlog()
    /// No element comes any more.
    var isClosed = false
    /// Nobody reads any more.
    var isAbandoned = false
    /// Tasks that wait for an element, in the order in which they came.
    var readers: [CheckedContinuation<Element?, Never>] = []
    /// Called when there is something to take, on any thread.
    var onNews: @Sendable () -> Void = {}
  }

  private let state = Monitor(State())

  /// - `isRead`: whether there is a reader; if not, elements are dropped.
  init(isRead: Bool) {
    guard !isRead else { return }
    state.change { $0.isAbandoned = true }
  }

  /// Elements that were lost because the program fell behind.
  var lostCount: Int { state.change { $0.backlog.lostCount } }

  func put(_ element: Element) {
    let (reader, onNews) = state.change { state -> (CheckedContinuation<Element?, Never>?, @Sendable () -> Void) in
      guard !state.isClosed, !state.isAbandoned else { return (nil, {}) }
      if !state.readers.isEmpty { return (state.readers.removeFirst(), {}) }
      state.backlog.put(element)
      return (nil, state.onNews)
    }
    reader?.resume(returning: element)
    onNews()
  }

  /// No element follows.
  func close() {
    let (readers, onNews) = state.change { state in
      state.isClosed = true
      defer { state.readers = [] }
      return (state.readers, state.onNews)
    }
    for reader in readers { reader.resume(returning: nil) }
    onNews()
  }

  /// From now on the reader hears when there is something to take. It must not wait in `onNews`, which is called once for
  /// what is there already.
  func announce(_ onNews: @escaping @Sendable () -> Void) {
    state.change { $0.onNews = onNews }
    onNews()
  }

  enum Taken {
    case element(Element)
    /// None is there, and some may follow.
    case nothing
    /// None follows.
    case end
  }

  /// The next element, without waiting for it.
  func takeNow() -> Taken {
    state.change { state in
      if let element = state.backlog.take() { return .element(element) }
      return state.isClosed || state.isAbandoned ? .end : .nothing
    }
  }

  /// The reader has gone: elements are dropped from now on.
  func abandon() {
    let readers = state.change { state in
      state.isAbandoned = true
      state.backlog = Backlog()
      defer { state.readers = [] }
      return state.readers
    }
    for reader in readers { reader.resume(returning: nil) }
  }

  /// The next element, or nil when none follows. Blocks the thread until then.
  func take() -> Element? {
    let next: Element?? = state.wait { state in
      if let element = state.backlog.take() { return .some(element) }
      return state.isClosed || state.isAbandoned ? .some(nil) : nil
    }
    return next ?? nil
  }

  /// The next element, or nil when none follows. Suspends the task until then; `abandon` ends the wait.
  func next() async -> Element? {
    await withCheckedContinuation { continuation in
      let next: Element?? = state.change { state in
        if let element = state.backlog.take() { return .some(element) }
        if state.isClosed || state.isAbandoned { return .some(nil) }
        state.readers.append(continuation)
        return nil
      }
      if let next { continuation.resume(returning: next) }
    }
  }
}
