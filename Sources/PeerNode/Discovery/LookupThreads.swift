// The threads that look names up. The resolver blocks, for half a minute if no name server answers.
import Posix
import Synchronization

/// A bounded number of threads for the look-ups of all downloads. A thread ends when no look-up waits. None is waited for:
/// a node that stops does not wait for a name server.
final class LookupThreads: Sendable {
  typealias Job = @Sendable () -> Void

  /// Look-ups at a time: those of a few downloads that name a few hosts each. More would flood a small name server.
  static let threadsMax = 16

  private struct State {
    var waiting: [Job] = []
    var threadCount = 0
  }
  private let state = Mutex(State())

  /// Runs a look-up, after those that wait if all threads are busy.
  func run(_ job: @escaping Job) {
    let startsThread = state.withLock { state in
      state.waiting.append(job)
      guard state.threadCount < LookupThreads.threadsMax else { return false }
      state.threadCount += 1
      return true
    }
    if startsThread { Thread.start(name: "p2p-resolve") { self.work() }.detach() }
  }

  private func work() { while let job = next() { job() } }

  private func next() -> Job? {
    state.withLock { state in
      if state.waiting.isEmpty {
        state.threadCount -= 1
        return nil
      }
      return state.waiting.removeFirst()
    }
  }
}
