// The decisions of one download: events and times go in, actions come out. The caller hands in one event, then takes
// all actions.
import Content
import Wire

/// Decides which addresses to dial, what to ask of which peer, and when to give up. Does no I/O, reads no clock, and
/// takes all random numbers from the given generator. After each `handle`, take actions until there are none; at
/// `deadline`, hand in `.timerFired`.
public struct DownloadState: Sendable {
  public typealias Event = DownloadEvent
  public typealias Action = DownloadAction

  enum Phase: Hashable, Sendable {
    /// No peer with the file is known yet.
    case seeking
    /// The layout is known, and the part file is being prepared.
    case preparing
    case running
    case ended
  }

  enum Timer: Hashable, Sendable {
    /// OPEN, a page, or the first chunk in line was not answered.
    case open(ConnectionID)
    case page(ConnectionID)
    case chunk(ConnectionID)
    case busyEnds(Int)
    case noPeers
    /// No address is left, and the peers that dialled this node have not opened the file.
    case hopeless
    case start
    case hedge
    /// The first request in line, or a page, may have been silent for too long.
    case patience(ConnectionID)
    /// Strangers that failed may be asked again.
    case pace
    /// No leaf was verified for a long time.
    case noProgress
    /// The patience with missing peers may be over.
    case waitEnds
    /// The download limit may allow a request.
    case limit
    /// A peer of the zone may have given nothing for too long.
    case zone
  }

  /// Once storage is ready, reports of chunks wait this long, so that the report of the start counts more peers.
  static let startWait: Duration = .milliseconds(100)
  /// A download that shares takes its first chunks at random, so that it soon has chunks that other peers lack.
  static let randomFirstChunks = 4

  let settings: DownloadSettings
  /// How fast the download may send requests. The caller sets it before each event, and takes it back afterwards.
  public var requestPace = RequestPace()
  var generator: SeededGenerator
  var phase = Phase.seeking
  var tally: DownloadTally

  var book: PeerBook
  var connections = ConnectionTable()
  var peers = PeerTable()
  var workers: Workers

  var chunks = ChunkTable(layout: .ofEmptyFile)
  var pages = PageTable(PageLayout(.ofEmptyFile, chunksPerPage: 1))
  /// Which files of a folder are complete; nil if no folder is fetched.
  var files: FolderCompletion?
  var rounds = RetryRounds()
  var pace = StrangerPace()
  var hedging = Hedging()
  var progressWatch = ProgressWatch()
  var waiting: PeerWaiting
  /// Nil: the node is in no zone.
  var zone: ZoneState?
  /// The window of a stream whose layout is known.
  var window: StreamWindow?
  /// Whether any peer had the file in part, or promised chunks to other peers.
  var hasMetSharers = false

  var timers = DeadlineQueue<Timer>()
  var actions = DownloadActions()

  /// - `settings`: must have no `fault`.
  /// - `generator`: for jitter.
  public init(settings: DownloadSettings, generator: SeededGenerator, at now: Instant) {
    precondition(settings.fault == nil, "a download can run with its settings")
    self.settings = settings
    self.generator = generator
    workers = Workers(max: settings.maxWorkers)
    book = PeerBook(isPatient: settings.patience != .none)
    waiting = PeerWaiting(settings.patience, at: now)
    zone = settings.zone.map { ZoneState($0) }
    tally = DownloadTally(at: now)
    if settings.zone != nil { tally.stats.zones = ZoneBytes() }
  }

  public var isEnded: Bool { phase == .ended }

  /// When to hand in `.timerFired`; nil if no timer runs.
  public var deadline: Instant? {
    if phase == .ended { return nil }
    var deadline = dialDeadline
    if let next = timers.next { deadline = min(deadline ?? next, next) }
    if let next = rounds.deadline { deadline = min(deadline ?? next, next) }
    return deadline
  }

  /// Returns the next action, in order; nil if none is left until the next event.
  public mutating func nextAction() -> Action? { actions.takeFirst() }

  public mutating func handle(_ event: Event, at now: Instant) {
    guard phase != .ended else { return }
    apply(event, at: now)
    guard phase != .ended else { return }
    endIfHopeless(at: now)
    guard phase != .ended else { return }
    startIfResolved(at: now)
    dial(at: now)
    guard phase == .running else { return }
    if let teller = event.teller {
      pump(at: now, newsOf: teller)
    } else if leavesRoom(event) {
      pump(at: now)
    }
    observeWorkers(at: now)
    noteOnTheWay(at: now)
  }

  /// Returns whether the download may have room for more requests after an event. If peers share, many peers have few
  /// requests each, and every piece is an event; then a timer checks idle workers.
  private func leavesRoom(_ event: Event) -> Bool {
    switch event {
    case .othersServed: false
    case .answerBegan, .answerEnded: !isSharing
    case .leavesVerified(let id, let request, let chunk, _, _, _):
      !isSharing || chunks.has(chunk) || !connections.isPending(request, on: id)
    default: true
    }
  }

  private mutating func apply(_ event: Event, at now: Instant) {
    switch event {
    case .addressAdded(let address, let pinned): book.add(address, pinned: pinned, at: now)
    case .addressHinted(let address, let peer): book.add(address, pinned: peer, isHint: true, at: now)
    case .foundHere(let layout): if phase == .seeking { begin(layout, at: now) }
    case .discoveryFinished: book.discoveryFinished()
    case .connected(let id, let peer, let requestsMax, let ip):
      connected(id, as: peer, requestsMax: requestsMax, from: ip, at: now)
    case .zone(let id, let name): learn(id, zone: name)
    case .dialFailed(let id, let failure): dialFailed(id, failure, at: now)
    case .opened(let id, let layout, let isComplete): opened(id, layout, isComplete: isComplete, at: now)
    case .refused(let id, let refusal): notOpened(id, .refused(refusal), at: now)
    case .storageReady(let resumable): storageReady(resumable, at: now)
    case .resumed(let leaves): resumed(leaves, at: now)
    case .sharedChunksCompared: listSharedChunks()
    case .pageArrived(let page, let id): pageArrived(page, from: id)
    case .pageVerified(let page, let id): pageVerified(page, from: id)
    case .leavesVerified(let id, let request, let chunk, let leaves, let needed, let writing):
      leavesVerified(id, request, chunk, leaves, needed: needed, writing: writing, at: now)
    case .answerBegan(let id, let request): answerBegan(id, request, at: now)
    case .answerEnded(let id, let request): answerEnded(id, request, at: now)
    case .othersServed(let id): othersServed(on: id, at: now)
    case .busy(let id, let request, let delay): busy(id, request, retryAfter: delay, at: now)
    case .have(let id, let runs): learn(id, runs, at: now)
    case .bitmap(let id, let bitmap): learn(id, bitmap, at: now)
    case .promised(let id, let chunks): learn(id, promised: chunks)
    case .peers(let id, let entries): learn(id, peers: entries)
    case .withdrawn(let id): withdrawn(id, at: now)
    case .lied(let id): lied(id, at: now)
    case .connectionLost(let id, let reason): connectionLost(id, reason, at: now)
    case .replaced(let id): replaced(id, at: now)
    case .writeFailed: end(.storage, at: now)
    case .consumed(let chunk):
      window?.move(to: chunk, of: chunks)
      progressWatch.readerTook()
      waiting.progressed(at: now)
      chunks.reconsider()
      updateUsability(at: now)
    case .cancelledByUser: end(.cancelled, at: now)
    case .timerFired: timerFired(at: now)
    }
  }

  mutating func act(_ action: Action) { actions.append(action) }

  private mutating func timerFired(at now: Instant) {
    while let item = rounds.nextDue(at: now) { wake(item) }
    while phase != .ended, let timer = timers.popDue(at: now) {
      switch timer {
      case .open(let id): openTimedOut(id, at: now)
      case .page(let id): pageTimedOut(id, at: now)
      case .chunk(let id): chunkTimedOut(id, at: now)
      case .busyEnds(let number): busyEnded(number)
      case .noPeers: peersMissed(at: now)
      case .hopeless: endHopeless(at: now)
      case .start: start(at: now)
      case .hedge, .limit, .zone: break
      case .patience(let id): patienceEnded(id, at: now)
      case .pace: paceEnded(at: now)
      case .noProgress: progressMissed(at: now)
      case .waitEnds: waitMayEnd(at: now)
      }
    }
  }
}
