// What workers wait for: the account that tells why a download was not faster.
import Content

/// What a worker does or waits for at a moment.
public enum WorkerWait: Int, Hashable, Sendable, CaseIterable {
  /// Nothing else: answers to its requests are due.
  case answers
  /// Chunk hashes, without which no chunk can be asked for.
  case hashes
  /// No peer is there for it: none is connected, or others drive all of them.
  case peers
  /// The peers that have what is missing asked to be left alone for a while.
  case busyPeers
  /// What is missing failed, and waits to be tried again.
  case retry
  /// A stream's reader has not taken what came before.
  case reader
  /// The peers that are free have nothing of what is missing.
  case holders
  /// All that is missing is on its way from other peers.
  case others
}

/// What one worker waited for over a download.
public struct WorkerWaits: Hashable, Sendable {
  /// By the raw value of `WorkerWait`.
  private var nanoseconds = SIMD8<Int64>()

  /// Nothing waited for.
  public init() {}

  /// For how long.
  public internal(set) subscript(wait: WorkerWait) -> Duration {
    get { .nanoseconds(nanoseconds[wait.rawValue]) }
    set { nanoseconds[wait.rawValue] = newValue.wholeNanoseconds }
  }

  /// As long as the worker was there.
  public var total: Duration { .nanoseconds(nanoseconds.wrappedSum()) }
}

/// A worker's account while it goes on.
struct WorkerClock: Sendable {
  private var waits = WorkerWaits()
  private var current: (wait: WorkerWait, since: Instant)?

  /// From now on it waits for this; nil: it is not there.
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
  /// After each event: what every worker waits for now.
  mutating func observeWorkers(at now: Instant) {
    while workerClocks.count < workers.count { workerClocks.append(WorkerClock()) }
    var idle: WorkerWait?
    for index in workerClocks.indices {
      workerClocks[index].turn(to: workers.indices.contains(index) ? wait(of: index, &idle) : nil, at: now)
    }
  }

  /// - `idle`: what all those wait for that have nothing in flight, once it is known.
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
      if rotation.live.isEmpty { return .peers }
      return rotation.live.contains { peers[$0].busyUntil != nil } ? .busyPeers : .holders
    }
    if retries.count > 0 { return .retry }
    return pages.fetchingCount > 0 || pages.isAnyWanted ? .hashes : .others
  }
}
