// One connection after its handshake: what the messages of the other end mean, and what may be said to it.
import Content
import Wire

/// Decides for one connection. Both ends are equal: each may open files at the other, and serve it. Does no I/O and
/// reads no clock. `SessionDriver` gives the order in which it is called; what is public here are commands and questions.
public struct PeerSession: Sendable {
  public typealias Action = PeerSessionAction

  let handshakeHash: Digest
  let role: ChannelRole
  public private(set) var isEnded = false

  // What this end asks of the peer.
  var fetched = FetchedContents()
  var fetches: FetchQueue
  /// The piece whose bytes are on their way.
  var arriving: FetchedPiece?
  /// The content about which the peer lied, if the session ended for that. It says nothing about other contents.
  public internal(set) var handleLiedAbout: FileHandle?
  /// When all contents that wait for answers last heard that another one is served.
  var othersServedAt: Instant?

  /// A file that the peer has open here.
  struct OpenFile: Sendable {
    let kind: ContentKind
    let pages: PageLayout
    let root: Digest
    /// The file is here in part: the peer hears of more, and asks for nothing else.
    let isPartial: Bool
    /// Pages that were sent; at most those that the file has.
    var pagesSent: Set<UInt32> = []

    func isOpen(_ file: ServedFile) -> Bool { kind == file.kind && root == file.root && pages == file.pages }
  }

  // What the peer asks of us.
  var openingPace = OpeningPace()
  var upload = UploadState()
  var served: [FileHandle: OpenFile] = [:]
  var opens = UnansweredOpens()
  /// A PONG is sealed and has not left.
  private var isPongWaiting = false
  /// Asked for and not yet sent.
  var pagesWaiting: [PageGet] = []
  /// Announced and not yet sent.
  public internal(set) var hints = HintBacklog()
  /// No new pieces are promised.
  var isShuttingDown = false
  /// What waits here already takes long enough (`UploadPace`): further requests are refused, and told to come back then.
  var uploadDelay: Duration?

  private var actions = ActionQueue<Action>()

  /// - `role`: ours in the handshake whose hash this is.
  /// - `requestsMax`: requests that the peer accepts unanswered. A peer that accepts none gets one all the same.
  init(handshakeHash: Digest, role: ChannelRole, requestsMax: Int = ProtocolLimits.requestsInFlightMax) {
    self.handshakeHash = handshakeHash
    self.role = role
    fetches = FetchQueue(inFlightMax: max(requestsMax, 1))
  }

  /// The next thing to do, in order; nil where nothing is left until the next call.
  mutating func nextAction() -> Action? { actions.takeFirst() }

  /// The connection ends for another reason: what was asked for on either side is void.
  mutating func end() {
    isEnded = true
    upload = UploadState()
    pagesWaiting = []
    opens.end()
    hints = HintBacklog()
    arriving = nil
  }

  /// When `timeFired` is due; nil while nothing waits for a time.
  var deadline: Instant? { opens.missed.deadline }

  /// The PONG that was sealed last has left: the next PING may come.
  mutating func pongLeft() { isPongWaiting = false }

  private mutating func answerPing(_ number: UInt64) {
    guard !isPongWaiting else { return close(.violation("a PING before the PONG of the last one")) }
    isPongWaiting = true
    send(.pong(number))
  }

  /// A message came.
  mutating func handle(_ message: Message, at now: Instant) {
    guard !isEnded else { return }
    switch message {
    case .open(let open): accept(open)
    case .pageGet(let get): accept(get)
    case .request(let request): accept(request)
    case .cancel(let id): takeBack(id)
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
    case .close(let handle): takeBack(handle)
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
