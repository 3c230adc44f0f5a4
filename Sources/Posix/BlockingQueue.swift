// A blocking queue of work for a group of threads.
import Glibc

/// A queue with elements from any thread, on which workers sleep.
///
/// Sendable although it is mutable: every access to `elements` and `isClosed` is made with `mutex` held.
public final class BlockingQueue<Element: Sendable>: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var elements: [Element] = []
  private var taken = 0  // the index of the next element
  private var sleepers = 0
  private var isClosed = false

  public init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Adds elements in order. After `close` they are dropped.
  public func put(contentsOf new: [Element]) {
    guard !new.isEmpty else { return }
    pthread_mutex_lock(mutex)
    if !isClosed { elements.append(contentsOf: new) }
    let wake = min(sleepers, new.count)
    pthread_mutex_unlock(mutex)
    for _ in 0..<wake { pthread_cond_signal(condition) }
  }

  public func put(_ element: Element) { put(contentsOf: [element]) }

  /// Returns the next element, or nil once the queue is closed and empty. Sleeps until there is one.
  public func take() -> Element? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while taken == elements.count {
      if isClosed { return nil }
      sleepers += 1
      pthread_cond_wait(condition, mutex)
      sleepers -= 1
    }
    let element = elements[taken]
    taken += 1
    if taken == elements.count || taken >= 1024 {
      elements.removeFirst(taken)
      taken = 0
    }
    return element
  }

  /// Whether the queue was closed. A worker can check it during long work.
  public var isOver: Bool {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return isClosed
  }

  /// Closes the queue. Waiting elements are still handed out; after that every `take` returns nil.
  /// - `discarding`: whether waiting elements are dropped instead.
  public func close(discarding: Bool = false) {
    pthread_mutex_lock(mutex)
    isClosed = true
    if discarding {
      elements = []
      taken = 0
    }
    pthread_mutex_unlock(mutex)
    pthread_cond_broadcast(condition)
  }
}
