// The workers of a download: which peers each owns, which one it drives, and what it waits for.

/// A worker, which drives one peer at a time.
struct Worker: Hashable, Sendable {
  var peer: Int?
  /// The peer that has just failed. The worker takes the next peer of its set, not the best one.
  var failed: Int?
  /// Whether the worker turned to its peer after a failure, and stays with it until the peer has answered.
  var stays = false
}

/// One worker for each live peer, up to a maximum; each live peer has one owner. A worker drives only a peer that it
/// owns or has chosen since the owners last changed.
struct Workers: Sendable {
  private var rotation: PeerRotation
  private var workers: [Worker] = []
  /// The waits of each worker, including workers that no longer exist.
  private var clocks: [WorkerClock] = []

  init(max: Int) { rotation = PeerRotation(maxWorkers: max) }

  var count: Int { workers.count }
  var indices: Range<Int> { workers.indices }

  subscript(worker: Int) -> Worker {
    _read { yield workers[worker] }
    _modify { yield &workers[worker] }
  }

  func contains(_ worker: Int) -> Bool { workers.indices.contains(worker) }

  /// Returns the first worker whose peer matches.
  func first(where matches: (Int?) -> Bool) -> Int? { workers.firstIndex { matches($0.peer) } }

  /// The peers that workers drive.
  var drivenPeers: [Int] { workers.compactMap(\.peer) }

  // MARK: Peers

  /// The numbers of all live peers, ascending.
  var live: [Int] { rotation.live }

  func owner(of number: Int) -> Int? { rotation.owner(of: number) }

  /// Returns the peers that a worker owns, ascending.
  func set(of worker: Int) -> [Int] { rotation.sets[worker] }

  /// Returns the other peers of a worker's set, starting with the next one after `number`.
  func others(of worker: Int, after number: Int) -> [Int] { rotation.others(of: worker, after: number) }

  /// Enters a live peer. Returns the peers that workers dropped because of it.
  mutating func join(_ number: Int) -> [Int] {
    rotation.join(number)
    return assign()
  }

  /// Removes a peer that is no longer live. Returns the peers that workers dropped because of it.
  mutating func leave(_ number: Int) -> [Int] {
    rotation.leave(number)
    return assign()
  }

  /// Makes each worker drop a peer that it does not own. Returns the dropped peers.
  private mutating func assign() -> [Int] {
    var dropped: [Int] = []
    for (index, worker) in workers.enumerated() {
      guard let number = worker.peer, rotation.owner(of: number) != index else { continue }
      dropped.append(number)
      workers[index].peer = nil
      workers[index].stays = false
    }
    while workers.count > rotation.workerCount { workers.removeLast() }
    while workers.count < rotation.workerCount { workers.append(Worker()) }
    return dropped
  }

  /// Turns a worker to another peer, because its peer has failed.
  mutating func turnAway(_ worker: Int, from number: Int) {
    workers[worker].failed = number
    workers[worker].stays = false
  }

  /// Notes that a peer has answered a request of a worker. The worker need not stay with it any longer.
  mutating func answered(_ worker: Int, by number: Int) {
    if contains(worker), workers[worker].peer == number { workers[worker].stays = false }
  }

  /// Forgets the failure of a peer, because another one gets its number.
  mutating func forget(_ number: Int) {
    for worker in workers.indices where workers[worker].failed == number { workers[worker].failed = nil }
  }

  // MARK: Waits

  /// Sets what a worker waits for from now on.
  mutating func turn(_ worker: Int, to wait: WorkerWait, at now: Instant) {
    while clocks.count <= worker { clocks.append(WorkerClock()) }
    clocks[worker].turn(to: wait, at: now)
  }

  /// Ends the waits of workers that no longer exist.
  mutating func stopOtherClocks(at now: Instant) {
    guard clocks.count > workers.count else { return }
    for gone in workers.count..<clocks.count { clocks[gone].turn(to: nil, at: now) }
  }

  /// Returns what each worker waited for so far, including workers that no longer exist.
  func waits(until now: Instant) -> [WorkerWaits] { clocks.map { $0.waits(until: now) } }
}
