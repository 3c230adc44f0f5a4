// A queue that brings updates and events to the program, so that the threads of a node never wait for the program's
// code.
import Posix

/// A bounded list of elements that a program has not read yet. It decides which elements are dropped when it is full.
protocol ReaderBacklog: Sendable {
  associatedtype Element: Sendable
  /// The number of elements that were dropped unread.
  var lostCount: Int { get }
  /// Makes an empty list.
  init()
  mutating func put(_ element: Element)
  /// Returns the next element; nil if none waits.
  mutating func take() -> Element?
}

/// A bounded queue. One task or one thread reads it. If several do, each element goes to one of them.
final class ReaderQueue<Backlog: ReaderBacklog>: Sendable {
  typealias Element = Backlog.Element

  private struct State {
    var backlog = Backlog()
    /// Whether `close` was called: no more elements come.
    var isClosed = false
    /// Whether the reader has gone: elements are dropped.
    var isAbandoned = false
    /// Tasks that wait for an element, in the order in which they came.
    var readers: [CheckedContinuation<Element?, Never>] = []
    /// Called on any thread when an element or the end can be taken.
    var onNews: @Sendable () -> Void = {}
  }

  private let state = Monitor(State())

  /// - `isRead`: whether there is a reader. Without one, elements are dropped.
  init(isRead: Bool) {
    guard !isRead else { return }
    state.change { $0.isAbandoned = true }
  }

  /// The number of elements that were dropped because the program fell behind.
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

  /// Ends the queue: no more elements come.
  func close() {
    let (readers, onNews) = state.change { state in
      state.isClosed = true
      defer { state.readers = [] }
      return (state.readers, state.onNews)
    }
    for reader in readers { reader.resume(returning: nil) }
    onNews()
  }

  /// Calls `onNews` once now, and from then on whenever an element or the end can be taken. `onNews` must not wait.
  func announce(_ onNews: @escaping @Sendable () -> Void) {
    state.change { $0.onNews = onNews }
    onNews()
  }

  enum Taken {
    case element(Element)
    /// No element waits, and more may come.
    case nothing
    /// No more elements come.
    case end
  }

  /// Returns the next element without waiting for it.
  func takeNow() -> Taken {
    state.change { state in
      if let element = state.backlog.take() { return .element(element) }
      return state.isClosed || state.isAbandoned ? .end : .nothing
    }
  }

  /// Drops all elements, now and later, because the reader has gone.
  func abandon() {
    let readers = state.change { state in
      state.isAbandoned = true
      state.backlog = Backlog()
      defer { state.readers = [] }
      return state.readers
    }
    for reader in readers { reader.resume(returning: nil) }
  }

  /// Returns the next element, or nil when no more will come. Blocks the thread until then.
  func take() -> Element? {
    let next: Element?? = state.wait { state in
      if let element = state.backlog.take() { return .some(element) }
      return state.isClosed || state.isAbandoned ? .some(nil) : nil
    }
    return next ?? nil
  }

  /// Returns the next element, or nil when no more will come. Suspends the task until then; `abandon` ends the wait.
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
