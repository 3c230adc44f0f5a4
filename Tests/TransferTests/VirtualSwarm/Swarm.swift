// A network of virtual peers with a virtual clock. It plays a download to its end.
import Content
import Wire

@testable import Transfer

/// Plays `VirtualPeer`s against one `DownloadState`. The same peers and seed give the same run.
struct Swarm {
  struct Record {
    let at: Instant
    let action: DownloadAction
  }

  private struct Delivery {
    let at: Instant
    let order: Int
    let event: DownloadEvent
    var connection: ConnectionID?
    var request: RequestID?
  }

  private struct Line {
    let peer: Int
    /// When the sender is free for the next byte.
    var freeAt: Instant = .zero
  }

  let layout: ChunkLayout
  let peers: [VirtualPeer]
  var state: DownloadState
  var now: Instant = .zero
  /// All actions, and when they were taken.
  private(set) var log: [Record] = []
  private var deliveries: [Delivery] = []
  private var nextOrder = 0
  private var lines: [ConnectionID: Line] = [:]
  var resumable = Resumable()
  /// Verified leaves by chunk: the content of the part file.
  private(set) var written: [ChunkIndex: UInt64] = [:]
  /// If chunks come in order: whether each is consumed as soon as all before it are there.
  var consumes = false
  private var consumedBelow: UInt32 = 0
  /// The largest number of requests in flight at one time, by connection.
  private(set) var deepest: [ConnectionID: Int] = [:]
  private var inFlight: [ConnectionID: Set<RequestID>] = [:]
  private var lastRequest: [ConnectionID: RequestID] = [:]
  /// The number of connections that peers have dialled so far.
  private(set) var arrivalCount = 0
  private(set) var faults: [String] = []

  init(
    _ peers: [VirtualPeer], layout: ChunkLayout = ChunkLayout(fileLength: 100 << 20)!,
    settings: DownloadSettings = DownloadSettings(), seed: UInt64 = 1
  ) {
    self.peers = peers
    self.layout = layout
    state = DownloadState(settings: settings, generator: SeededGenerator(seed: seed), at: .zero)
  }

  /// Adds all addresses and runs until the end, or until `limit`.
  mutating func run(until limit: Instant = .seconds(3600)) {
    for index in peers.indices where peers[index].returnsAfter == nil {
      handle(.addressAdded(address(of: index), pinned: nil))
    }
    handle(.discoveryFinished)
    for index in peers.indices where peers[index].returnsAfter != nil { arrive(index, at: now + peers[index].latency) }
    resume(until: limit)
  }

  /// A peer dials the download.
  private mutating func arrive(_ index: Int, at instant: Instant) {
    arrivalCount += 1
    let id = ConnectionID(ConnectionID.firstInbound.rawValue + UInt64(arrivalCount))
    var bytes = Array(repeating: UInt8(0xAB), count: 32)
    for i in 0..<4 { bytes[i] = UInt8(truncatingIfNeeded: arrivalCount >> (8 * i)) }
    lines[id] = Line(peer: index)
    let ip = ipv4(peers[index].ip ?? UInt8(index + 1))
    let peer = peers[index].identity.map(peerID) ?? PeerID(digest: Digest(bytes)!)
    post(.connected(id, peer, from: ip), at: instant, id)
  }

  /// The peer closes a connection. A peer that dials comes back.
  private mutating func close(_ id: ConnectionID, _ index: Int) {
    post(.connectionLost(id, .closed), at: now + peers[index].latency, id)
    if let pause = peers[index].returnsAfter { arrive(index, at: now + peers[index].latency + pause) }
  }

  mutating func resume(until limit: Instant) {
    var steps = 0
    while !state.isEnded {
      steps += 1
      guard steps < 1_000_000 else { return faults.append("the download does not come to an end") }
      let timer = state.deadline
      let delivery = deliveries.indices.min {
        (deliveries[$0].at, deliveries[$0].order) < (deliveries[$1].at, deliveries[$1].order)
      }
      let due = delivery.map { deliveries[$0].at }
      guard let next = [timer, due].compactMap({ $0 }).min(), next <= limit else {
        now = max(now, limit)
        return
      }
      now = max(now, next)
      if let delivery, due == next {
        let taken = deliveries.remove(at: delivery)
        deliver(taken)
      } else {
        handle(.timerFired)
      }
    }
  }

  mutating func handle(_ event: DownloadEvent) {
    state.handle(event, at: now)
    while let action = state.nextAction() {
      switch log.last?.action {
      case .finished, .failed: faults.append("an action after the last")
      default: break
      }
      log.append(Record(at: now, action: action))
      perform(action)
    }
  }

  private mutating func deliver(_ delivery: Delivery) {
    if let id = delivery.connection, lines[id] == nil { return }
    if let id = delivery.connection, let request = delivery.request, inFlight[id]?.contains(request) != true { return }
    switch delivery.event {
    case .leavesVerified(_, _, let chunk, let leaves, let needed, _): written[chunk, default: 0] |= leaves.mask & needed
    case .busy(let id, let request, _): inFlight[id]?.remove(request)
    case .connectionLost(let id, let reason):
      if case .goodbye = reason, let index = lines[id]?.peer, let pause = peers[index].returnsAfter {
        arrive(index, at: now + pause)
      }
      (lines[id], inFlight[id]) = (nil, nil)
    case .dialFailed(let id, _):
      lines[id] = nil
      inFlight[id] = nil
    default: break
    }
    if case .leavesVerified(let id, let request, _, _, _, _) = delivery.event,
      !deliveries.contains(where: { $0.connection == id && $0.request == request })
    {
      inFlight[id]?.remove(request)
    }
    handle(delivery.event)
    consume()
  }

  private mutating func consume() {
    guard consumes else { return }
    var next = consumedBelow
    while Int(next) < layout.chunkCount {
      let due = layout.leaves(of: ChunkIndex(next)).mask & state.settings.wanted.mask(of: ChunkIndex(next))
      guard due & ~written[ChunkIndex(next), default: 0] == 0 else { break }
      next += 1
    }
    if next != consumedBelow {
      consumedBelow = next
      handle(.consumed(below: ChunkIndex(next)))
    }
  }

  private mutating func post(
    _ event: DownloadEvent, at instant: Instant, _ connection: ConnectionID? = nil, _ request: RequestID? = nil
  ) {
    deliveries.append(
      Delivery(at: instant, order: nextOrder, event: event, connection: connection, request: request))
    nextOrder += 1
  }

  func address(of index: Int) -> PeerAddress {
    TransferTests.address(peers[index].ip ?? UInt8(index + 1), port: UInt16(9800 + index))
  }

  func id(of index: Int) -> PeerID { peerID(peers[index].identity ?? UInt8(index + 1)) }

  func peer(at connection: ConnectionID) -> Int? { lines[connection]?.peer }

  private mutating func perform(_ action: DownloadAction) {
    switch action {
    case .dial(let address, _, let id): dial(address, id)
    case .open(let id): open(id)
    case .prepareStorage: post(.storageReady(resumable), at: now)
    case .fetchPage(let page, let id):
      guard let line = lines[id], peers[line.peer].conduct != .pageless else { return }
      if peers[line.peer].conduct == .closes(at: .page) { return close(id, line.peer) }
      post(.pageVerified(page, from: id), at: now + peers[line.peer].latency, id)
    case .request(let id, let request, let chunk, let leaves, let needed): answer(id, request, chunk, leaves, needed)
    case .cancel(let id, let request): cancel(id, request)
    case .disconnect(let id, _):
      if let index = lines[id]?.peer, let pause = peers[index].returnsAfter { arrive(index, at: now + pause) }
      lines[id] = nil
      inFlight[id] = nil
    case .report, .filesCompleted, .finished, .failed: break
    }
  }

  /// The peer ends the answer after its current piece, unless it has more requests: then the answer ends no sooner.
  private mutating func cancel(_ id: ConnectionID, _ request: RequestID) {
    inFlight[id]?.remove(request)
    guard let line = lines[id], inFlight[id]?.isEmpty == true else { return }
    let pieceEnd = deliveries.filter { $0.connection == id && $0.request == request }.map(\.at).min()
    deliveries.removeAll { $0.connection == id && $0.request == request }
    lines[id]!.freeAt = min(line.freeAt, pieceEnd ?? now)
  }

  private mutating func dial(_ address: PeerAddress, _ id: ConnectionID) {
    guard let index = peers.indices.first(where: { self.address(of: $0) == address }) else { return }
    let peer = peers[index]
    let reply = now + peer.latency
    lines[id] = Line(peer: index)
    if case .down(let failure) = peer.conduct { return post(.dialFailed(id, failure), at: reply, id) }
    if let away = peer.away, away.contains(now) { return post(.dialFailed(id, .refused), at: reply, id) }
    post(.connected(id, self.id(of: index)), at: reply, id)
    if let lostAt = peer.lostAt, lostAt > now { post(.connectionLost(id, .reset), at: lostAt, id) }
  }

  private mutating func open(_ id: ConnectionID) {
    guard let line = lines[id] else { return }
    let peer = peers[line.peer]
    let reply = now + peer.latency
    switch peer.conduct {
    case .refuses(let refusal): post(.refused(id, refusal), at: reply, id)
    case .mute: break
    default:
      post(.opened(id, layout, isComplete: peer.holds == nil), at: reply, id)
      if let holds = peer.holds {
        post(.have(id, holds.sorted().map { whole(ChunkIndex($0)) }), at: reply, id)
      }
    }
  }

  private mutating func giveBack(_ id: ConnectionID, _ request: RequestID, by way: VirtualPeer.Return, at: Instant) {
    switch way {
    case .busy: post(.busy(id, request, retryAfter: .zero), at: at, id, request)
    case .done: post(.connectionLost(id, .goodbye(CloseCode.done.rawValue)), at: at, id)
    case .tooManyConnections:
      post(.connectionLost(id, .goodbye(CloseCode.tooManyConnections.rawValue)), at: at, id)
    case .withdrawn: post(.withdrawn(id), at: at, id)
    }
  }

  private func whole(_ chunk: ChunkIndex) -> LeafRun { LeafRun(chunk: chunk, leaves: layout.leaves(of: chunk)) }

  private mutating func answer(
    _ id: ConnectionID, _ request: RequestID, _ chunk: ChunkIndex, _ leaves: LeafRange, _ needed: UInt64
  ) {
    guard var line = lines[id] else { return faults.append("a request on a connection that is gone") }
    let peer = peers[line.peer]
    if let last = lastRequest[id], request <= last { faults.append("request ids do not increase") }
    if let holds = peer.holds, !holds.contains(chunk.rawValue) { faults.append("asked for what the peer has not") }
    lastRequest[id] = request
    inFlight[id, default: []].insert(request)
    deepest[id] = max(deepest[id] ?? 0, inFlight[id]!.count)
    var at = max(line.freeAt, now + peer.latency)
    if let silentFrom = peer.silentFrom, now >= silentFrom { return }
    switch peer.conduct {
    case .busy(let retryAfter): return post(.busy(id, request, retryAfter: retryAfter), at: at, id, request)
    case .silent: return
    case .liar: return post(.lied(id), at: at, id, request)
    case .withdraws: return post(.withdrawn(id), at: at, id)
    case .closes(at: .request): return close(id, line.peer)
    case .givesBack(let way, let hold): return giveBack(id, request, by: way, at: at + hold)
    case .dribbles(let pause):
      post(.answerBegan(id, request), at: at, id, request)
      for leaf in leaves.first..<leaves.end {
        at = at + pause
        post(
          .leavesVerified(id, request, chunk, LeafRange(first: leaf, count: 1), needed: needed), at: at, id, request)
      }
      return
    default: break
    }
    post(.answerBegan(id, request), at: at, id, request)
    var first = leaves.first
    while first < leaves.end {
      let piece = LeafRange(first: first, count: min(4, leaves.end - first))
      if case .stalls(let after) = peer.conduct, piece.end > leaves.first + after { return }
      at = at + .nanoseconds(Int64(Double(layout.length(of: piece, in: chunk)) / peer.bytesPerSecond * 1e9))
      if piece.end == leaves.end { post(.answerEnded(id, request), at: at, id, request) }
      post(.leavesVerified(id, request, chunk, piece, needed: needed), at: at, id, request)
      first = piece.end
    }
    line.freeAt = at
    lines[id] = line
  }
}
