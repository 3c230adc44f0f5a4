// A queue of work from many owners for one group of threads. The work of one owner runs in order, and owners take
// turns.
import Glibc

/// A queue of lanes, one for each owner of work. Any thread adds elements, and workers sleep on the queue.
///
/// Sendable although it is mutable: every access to its state, and to that of its lanes, is made with `mutex` held.
public final class TurnsQueue<Element: Sendable>: @unchecked Sendable {
  /// The work of one owner.
  ///
  /// Sendable although it is mutable: only the queue that made it touches it, with its mutex held.
  public final class Lane: @unchecked Sendable {
    fileprivate let isLong: Bool
    fileprivate var elements: [Element] = []
    fileprivate var taken = 0  // the index of the next element
    fileprivate var running = 0
    fileprivate var isClosed = false
    fileprivate var onEnd: (@Sendable () -> Void)?

    fileprivate init(isLong: Bool) { self.isLong = isLong }

    fileprivate var hasElements: Bool { taken < elements.count }
    fileprivate var isIdle: Bool { running == 0 && !hasElements }

    fileprivate func next() -> Element {
      let element = elements[taken]
      taken += 1
      if taken == elements.count || taken >= 1024 {
        elements.removeFirst(taken)
        taken = 0
      }
      return element
    }
  }

  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let runningMaxAlone: Int
  private let runningMax: Int
  private let longRunningMax: Int
  /// The lanes with elements, in the order of their turns.
  private var waiting: [Lane] = []
  private var openLanes = 0
  /// The number of lanes with waiting or running elements.
  private var busyCount = 0
  private var running = 0
  private var longRunning = 0
  private var sleepers = 0
  private var isClosed = false

  /// - `runningMaxAlone`: how many elements of one lane may run at a time while no other lane is open.
  /// - `runningMax`: how many while other lanes are open. If several lanes have work, each runs at most its equal share
  ///   of `runningMaxAlone`.
  /// - `longRunningMax`: how many elements of all long lanes together may run at a time.
  public init(runningMaxAlone: Int, runningMax: Int, longRunningMax: Int = .max) {
    precondition(runningMaxAlone >= 1 && runningMax >= 1 && longRunningMax >= 1, "work is done at last")
    (self.runningMaxAlone, self.runningMax, self.longRunningMax) = (runningMaxAlone, runningMax, longRunningMax)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  private func locked<Result>(_ body: () -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }

  // MARK: The owners' side

  /// Makes a lane for a new owner. It is open until `close`.
  /// - `isLong`: whether its elements may take minutes.
  public func makeLane(isLong: Bool = false) -> Lane {
    locked { openLanes += 1 }
    return Lane(isLong: isLong)
  }

  /// Adds elements in order. Returns false if the lane is closed: then nothing is added.
  @discardableResult
  public func put(contentsOf new: [Element], in lane: Lane) -> Bool {
    guard !new.isEmpty else { return true }
    pthread_mutex_lock(mutex)
    guard !lane.isClosed else {
      pthread_mutex_unlock(mutex)
      return false
    }
    if lane.isIdle { busyCount += 1 }
    if !lane.hasElements { waiting.append(lane) }
    lane.elements.append(contentsOf: new)
    let wake = min(sleepers, new.count)
    pthread_mutex_unlock(mutex)
    for _ in 0..<wake { pthread_cond_signal(condition) }
    return true
  }

  /// Closes a lane: its owner adds nothing more. Returns the dropped elements. Called once.
  /// - `discarding`: whether waiting elements are dropped.
  /// - `onEnd`: called when the last element is finished, on the thread of its worker; at once if none is left.
  public func close(_ lane: Lane, discarding: Bool, onEnd: @escaping @Sendable () -> Void) -> [Element] {
    let (dropped, isIdle) = locked {
      lane.isClosed = true
      openLanes -= 1
      var dropped: [Element] = []
      if discarding, lane.hasElements {
        dropped = Array(lane.elements[lane.taken...])
        (lane.elements, lane.taken) = ([], 0)
        waiting.removeAll { $0 === lane }
        if lane.isIdle { busyCount -= 1 }
      }
      if !lane.isIdle { lane.onEnd = onEnd }
      return (dropped, lane.isIdle)
    }
    pthread_cond_broadcast(condition)  // a lane that is now alone may run more
    if isIdle { onEnd() }
    return dropped
  }

  /// The number of threads that could have work: running elements, and lanes that wait without one running.
  public var busyLanes: Int { locked { running + waiting.count { $0.running == 0 } } }

  /// Closes the queue. Waiting elements are still handed out; after that every `take` returns nil.
  public func close() {
    locked { isClosed = true }
    pthread_cond_broadcast(condition)
  }

  // MARK: The workers' side

  /// Returns the next element; nil once the queue is closed and no element may run now. Sleeps until there is one. The
  /// worker calls `finished` after each.
  public func take() -> (lane: Lane, element: Element)? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      for index in waiting.indices where mayRun(waiting[index]) { return start(index) }
      if isClosed { return nil }
      sleepers += 1
      pthread_cond_wait(condition, mutex)
      sleepers -= 1
    }
  }

  /// Notes that an element is finished. The worker calls `take` soon after.
  public func finished(_ lane: Lane) {
    let (onEnd, mayRunMore) = locked {
      running -= 1
      lane.running -= 1
      if lane.isLong { longRunning -= 1 }
      guard lane.isIdle else { return ((@Sendable () -> Void)?.none, false) }
      busyCount -= 1
      return (lane.onEnd.take(), sleepers > 0 && !waiting.isEmpty)
    }
    if mayRunMore { pthread_cond_broadcast(condition) }  // the other lanes have larger shares now
    onEnd?()
  }

  private func mayRun(_ lane: Lane) -> Bool {
    if lane.isLong, longRunning >= longRunningMax { return false }
    guard openLanes > 1 else { return lane.running < runningMaxAlone }
    return lane.running < min(runningMax, max(1, runningMaxAlone / busyCount))
  }

  private func start(_ index: Int) -> (lane: Lane, element: Element) {
    let lane = waiting.remove(at: index)
    let element = lane.next()
    if lane.hasElements { waiting.append(lane) }
    running += 1
    lane.running += 1
    if lane.isLong { longRunning += 1 }
    return (lane, element)
  }
}
