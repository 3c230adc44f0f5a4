// What workers wait for: this account shows why a download was not faster.
import Content

/// What a worker does or waits for at a moment.
public enum WorkerWait: Int, Hashable, Sendable, CaseIterable {
  /// Nothing else: answers to its requests are due.
  case answers
  /// Chunk hashes, without which no chunk can be asked for.
  case hashes
  /// No peer is free: none is connected, or other workers drive all of them.
  case peers
  /// The peers that have what is missing answered BUSY.
  case busyPeers
  /// What is missing failed, and waits to be tried again.
  case retry
  /// A stream's reader has not taken what came before.
  case reader
  /// The free peers have nothing of what is missing.
  case holders
  /// All that is missing is on its way from other peers.
  case others
}

/// What one worker waited for over a download.
public struct WorkerWaits: Hashable, Sendable {
  /// By the raw value of `WorkerWait`.
  private var nanoseconds = SIMD8<Int64>()

  /// No waits yet.
  public init() {}

  /// For how long.
  public internal(set) subscript(wait: WorkerWait) -> Duration {
    get { .nanoseconds(nanoseconds[wait.rawValue]) }
    set { nanoseconds[wait.rawValue] = newValue.wholeNanoseconds }
  }

  /// The total time for which the worker existed.
  public var total: Duration { .nanoseconds(nanoseconds.wrappedSum()) }
}

/// A worker's account while it goes on.
struct WorkerClock: Sendable {
  private var waits = WorkerWaits()
  private var current: (wait: WorkerWait, since: Instant)?

  /// Sets what the worker waits for from now on. Nil: the worker no longer exists.
  mutating func turn(to wait: WorkerWait?, at now: Instant) {
    if current?.wait == wait { return }
    waits = self.waits(until: now)
    current = wait.map { ($0, now) }
  }

  func waits(until now: Instant) -> WorkerWaits {
    var waits = waits
    if let current { waits[current.wait] += now - current.since }
    return waits
  }
}

extension DownloadState {
  /// Notes after each event what every worker waits for now.
  mutating func observeWorkers(at now: Instant) {
    var idle: WorkerWait?
    for worker in workers.indices { workers.turn(worker, to: wait(of: worker, &idle), at: now) }
    workers.stopOtherClocks(at: now)
  }

  /// - `idle`: what the workers without a request in flight wait for; computed once.
  private func wait(of worker: Int, _ idle: inout WorkerWait?) -> WorkerWait {
    let number = workers[worker].peer
    if let number {
      if inFlight(number) > 0 { return .answers }
      if peers[number].busyUntil != nil { return .busyPeers }
    }
    let wait = idle ?? idleWait
    idle = wait
    return number == nil && wait == .holders ? .peers : wait
  }

  private var idleWait: WorkerWait {
    if chunks.choosableCount > 0 {
      if case .inOrder = settings.order { return .reader }
      if workers.live.isEmpty { return .peers }
      return workers.live.contains { peers[$0].busyUntil != nil } ? .busyPeers : .holders
    }
    if rounds.restingCount > 0 { return .retry }
    return pages.fetchingCount > 0 || pages.isAnyWanted ? .hashes : .others
  }
}
