// One connection after its handshake: what the messages of the other end mean, and what this end may send.
import Content
import Wire

/// Decides for one connection. Both ends are equal: each may open files at the other, and serve it. Does no I/O and
/// reads no clock. Only `SessionDriver` reports events; the public functions here are commands and questions.
public struct PeerSession: Sendable {
  public typealias Action = PeerSessionAction

  let handshakeHash: Digest
  let role: ChannelRole
  public private(set) var isEnded = false

  // What this end asks of the peer.
  var fetched = FetchedContents()
  var fetches: FetchQueue
  /// The piece whose bytes are arriving.
  var arriving: FetchedPiece?
  /// The content about which the peer lied, if the session ended for that. The lie says nothing about other contents.
  public internal(set) var handleLiedAbout: FileHandle?
  /// When `othersServed` was last emitted for all contents that wait for answers.
  var othersServedAt: Instant?

  /// A file that the peer has open here.
  struct OpenFile: Sendable {
    let kind: ContentKind
    let pages: PageLayout
    let root: Digest
    /// The pages of which a chunk was announced. Nil if this node has the whole file.
    var announcedPages: Set<UInt32>?
    /// This node has only a part of the file. The peer hears of new leaves by HAVE, and requests only leaves that are
    /// here.
    var isPartial: Bool { announcedPages != nil }
    /// Pages that were sent, each once, so the file bounds their number.
    var pagesSent: Set<UInt32> = []

    /// Returns whether the peer may ask for a page of the file.
    func offers(_ page: UInt32) -> Bool { announcedPages.map { $0.contains(page) } ?? true }

    /// Notes leaves that are announced.
    mutating func announce(_ runs: [LeafRun]) {
      for run in runs { if let page = pages.page(of: run.chunk) { announcedPages?.insert(page.rawValue) } }
    }

    func isOpen(_ file: ServedFile) -> Bool { kind == file.kind && root == file.root && pages == file.pages }
  }

  // What the peer asks of this node.
  var openingPace = OpeningPace()
  var cancelBudget = CancelBudget()
  var upload = UploadState()
  var served: [FileHandle: OpenFile] = [:]
  var opens = UnansweredOpens()
  /// Whether a PONG is sealed and has not left.
  private var isPongWaiting = false
  /// Pages that the peer asked for and that are not sent yet.
  var pagesWaiting: [PageGet] = []
  /// Hints that were announced and are not sent yet.
  public internal(set) var hints = HintBacklog()
  /// Whether this node shuts down: it accepts no new requests.
  var isShuttingDown = false
  /// If not nil, the requests that wait already take long to send (`UploadPace`). Further ones are answered BUSY with
  /// this delay.
  var uploadDelay: Duration?

  private var actions = ActionQueue<Action>()

  /// - `role`: this node's role in the handshake whose hash this is.
  /// - `requestsMax`: how many unanswered requests the peer accepts. A peer that accepts none gets one all the same.
  init(handshakeHash: Digest, role: ChannelRole, requestsMax: Int = ProtocolLimits.requestsInFlightMax) {
    self.handshakeHash = handshakeHash
    self.role = role
    fetches = FetchQueue(inFlightMax: max(requestsMax, 1))
  }

  /// Returns the next action, in order; nil if none is left until the next call.
  mutating func nextAction() -> Action? { actions.takeFirst() }

  /// Ends the session for a reason outside it. The requests of both sides are dropped.
  mutating func end() {
    isEnded = true
    upload = UploadState()
    pagesWaiting = []
    opens.end()
    hints = HintBacklog()
    arriving = nil
  }

  /// When `timeFired` is due; nil if no timer runs.
  var deadline: Instant? { opens.missed.deadline }

  /// Notes that the latest PONG has left, so that the next PING may come.
  mutating func pongLeft() { isPongWaiting = false }

  private mutating func answerPing(_ number: UInt64) {
    guard !isPongWaiting else { return close(.violation("a PING before the PONG of the last one")) }
    isPongWaiting = true
    send(.pong(number))
  }

  /// Handles a message of the peer.
  mutating func handle(_ message: Message, at now: Instant) {
    guard !isEnded else { return }
    switch message {
    case .open(let open): accept(open)
    case .pageGet(let get): accept(get)
    case .request(let request): accept(request, at: now)
    case .cancel(let id): takeBack(id, at: now)
    case .opened(let opened): handle(opened)
    case .page(let page): handle(page)
    case .data(let header): handle(header, at: now)
    case .busy(let busy): handle(busy)
    case .withdrawn(let withdrawn): handle(withdrawn)
    case .ping(let number): answerPing(number)
    case .pong: break
    case .have(let have): tell(.have(have.runs), about: have.handle, cost: have.runs.count)
    case .bitmap(let bitmap): handle(bitmap)
    case .promised(let promised): tell(.promised(promised.chunks), about: promised.handle, cost: promised.chunks.count)
    case .peers(let peers): tell(.peers(peers.entries), about: peers.handle, cost: peers.entries.count)
    case .close(let handle): takeBack(handle, at: now)
    case .goodbye(let goodbye): close(.remote(goodbye.code, goodbye.text))
    }
  }

  mutating func act(_ action: Action) { actions.append(action) }
  mutating func send(_ message: Message) { act(.send(message)) }
  mutating func close(_ end: SessionEnd) {
    act(.close(end))
    self.end()
  }
}
