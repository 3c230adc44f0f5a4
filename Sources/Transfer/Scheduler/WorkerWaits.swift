// What workers wait for. These times show why a download was not faster.
import Content

/// What a worker waits for at a moment.
public enum WorkerWait: Int, Hashable, Sendable, CaseIterable {
  /// Answers to its requests.
  case answers
  /// Chunk hashes, without which no chunk can be asked for.
  case hashes
  /// No peer is free: none is connected, or other workers drive all of them.
  case peers
  /// The peers that have missing chunks answered BUSY.
  case busyPeers
  /// The missing chunks or pages failed, and wait for a retry.
  case retry
  /// A stream's reader has not taken earlier bytes.
  case reader
  /// The free peers have none of the missing chunks.
  case holders
  /// All missing chunks are on their way from other peers.
  case others
}

/// How long one worker waited for what during a download.
public struct WorkerWaits: Hashable, Sendable {
  /// The times by the raw value of `WorkerWait`.
  private var nanoseconds = SIMD8<Int64>()

  /// No waits yet.
  public init() {}

  /// The time for which the worker waited for this.
  public internal(set) subscript(wait: WorkerWait) -> Duration {
    get { .nanoseconds(nanoseconds[wait.rawValue]) }
    set { nanoseconds[wait.rawValue] = newValue.wholeNanoseconds }
  }

  /// The total time for which the worker existed.
  public var total: Duration { .nanoseconds(nanoseconds.wrappedSum()) }
}

/// Measures what one worker waits for.
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
  /// Notes what every worker waits for now. Called after each event.
  mutating func observeWorkers(at now: Instant) {
    var idle: WorkerWait?
    for worker in workers.indices { workers.turn(worker, to: wait(of: worker, &idle), at: now) }
    workers.stopOtherClocks(at: now)
  }

  /// - `idle`: what workers without a request in flight wait for; computed once for all workers.
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
