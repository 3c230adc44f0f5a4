// One conversation of a hostile peer with a downloader: what it was asked, and the answers, right ones and others.
import Content
import Posix
import TestSupport
import Wire

/// A place in a conversation at which a peer can go, fall silent or slow down.
enum Moment: String, Sendable, CaseIterable {
  case connected = "TCP"
  case shaken = "the handshake"
  case open = "OPEN"
  case opened = "OPENED"
  case pageGet = "PAGE_GET"
  case page = "PAGE"
  case request = "REQUEST"
  case halfFrame = "half a DATA"
  case data = "the first DATA"
  case answered = "an answer"
}

/// The hostile peer closes now.
struct Cut: Error {}

/// Confined to the thread of its connection.
final class Talk {
  let peer: ScriptedPeer
  let file: HostileFile
  /// Others whom it may name in PEERS.
  let others: [PeerExchange.Entry]
  /// The handle under which the downloader opened the file here.
  private(set) var handle = FileHandle(0)
  /// Answers to REQUESTs that it has begun.
  private(set) var answers = 0

  init(_ peer: ScriptedPeer, _ file: HostileFile, others: [PeerExchange.Entry]) {
    (self.peer, self.file, self.others) = (peer, file, others)
    peer.keepsDecrypted = false
  }

  var role: ChannelRole { peer.role }

  func send(_ messages: Message...) throws { try peer.send(frames: messages.flatMap(\.frame)) }
  func send(frames: [[UInt8]]) throws { for frame in frames { try peer.send(frames: frame) } }

  /// Says nothing more, until the other end goes.
  func hang() throws -> Never {
    peer.socket.delay(milliseconds: 3_600_000)
    throw Cut()
  }

  /// Sends bytes of the stream, one a second.
  func dribble(_ bytes: [UInt8]) throws {
    for byte in peer.seal(bytes) {
      try peer.socket.send([byte])
      peer.socket.delay(milliseconds: 1_000)
    }
  }

  /// Sends frames again and again, at 4 MB/s: it is to cost the other end's time, not this machine's.
  func flood(_ frame: [UInt8]) throws -> Never {
    let frames = (0..<max(1, 65_000 / frame.count)).flatMap { _ in frame }
    while true {
      try peer.send(frames: frames)
      _ = try peer.socket.discardReceived()
      pause(milliseconds: 16)
    }
  }

  // MARK: The conversation

  /// Answers until the other end goes, or the manner says to. The one that dialled opens the file first.
  func converse(_ manner: Manner) throws {
    if role == .dialer { try send(peer.openMessage(file.fileID)) }
    try manner.reach(.shaken, self)
    while true {
      let message: Message
      do { message = try peer.receive().message } catch SocketEnd.timedOut { continue }
      switch message {
      case .open(let open):
        handle = open.handle
        try manner.reach(.open, self)
        try manner.onOpen(self, open)
        try manner.reach(.opened, self)
      case .pageGet(let get):
        try manner.reach(.pageGet, self)
        try manner.onPageGet(self, get)
        try manner.reach(.page, self)
      case .request(let request):
        answers += 1
        try manner.reach(.request, self)
        try manner.onRequest(self, request)
        try manner.reach(.answered, self)
      case .ping(let number): try send(.pong(number))
      case .goodbye: return
      default: break
      }
    }
  }
}

// MARK: Answers

extension Talk {
  /// OPENED, with the file's manifest or a changed one.
  func offer(
    proof: Digest? = nil, kind: UInt8 = 0, length: UInt64? = nil, root: Digest? = nil, chunkSizeLog2: UInt8 = 20,
    isPartial: Bool = false, name: String = HostileFile.name
  ) throws {
    let key = FileKey(file.fileID, swarm: nil)
    try send(
      .opened(
        Opened(
          handle: handle,
          outcome: .opened(
            OfferedFile(
              proof: proof ?? key.haveProof(peer.handshakeHash, sender: role), kind: kind,
              length: length ?? file.layout.fileLength, root: root ?? file.root, chunkSizeLog2: chunkSizeLog2,
              availability: isPartial ? .partial : .complete, suggestedName: name)))))
  }

  /// BITMAP of the whole file: all chunks, or those that are named.
  func claim(_ chunks: [Int]? = nil) throws {
    var bits = [UInt8](repeating: 0, count: (file.chunkCount + 7) / 8)
    for chunk in chunks ?? Array(0..<file.chunkCount) { bits[chunk / 8] |= 0x80 >> UInt8(chunk % 8) }
    try send(.bitmap(Bitmap(handle: handle, firstChunk: ChunkIndex(0), count: file.chunkCount, bits: bits)))
  }

  func refuse(_ refusal: Opened.Refusal) throws {
    try send(.opened(Opened(handle: handle, outcome: .refused(refusal))))
  }

  /// The page that is asked for, with changes.
  func page(
    _ get: PageGet, number: UInt32? = nil, hashes change: (inout [Digest]) -> Void = { _ in },
    uncles changeUncles: (inout [Digest]) -> Void = { _ in }
  ) -> Message {
    guard let page = file.tree.page(PageIndex(get.page)) else { return .goodbye(Goodbye(code: .done)) }
    var (hashes, uncles) = (page.chunkHashes, page.uncles)
    change(&hashes)
    changeUncles(&uncles)
    return .page(PageAnswer(handle: get.handle, page: number ?? get.page, chunkHashes: hashes, uncles: uncles))
  }

  /// A DATA frame of a run of leaves.
  func data(
    _ request: ChunkRequest, _ leaves: LeafRange, isLast: Bool? = nil, hashes: [Digest]? = nil, bytes: [UInt8]? = nil
  ) -> [UInt8] {
    let bytes = bytes ?? file.leaves(leaves, of: request.chunk)
    let isFirst = leaves.first == request.leaves.first
    let due = request.wantsLeafHashes && isFirst ? file.part(request.chunk).leafHashes : []
    let header = DataHeader(
      id: request.id, leaves: leaves, isLast: isLast ?? (leaves.end == request.leaves.end), leafHashes: hashes ?? due,
      byteCount: bytes.count)
    return Message.data(header).frame + bytes
  }

  /// How an answer is cut: four leaves a frame.
  func runs(of request: ChunkRequest) -> [LeafRange] {
    stride(from: request.leaves.first, to: request.leaves.end, by: 4).map {
      LeafRange(first: $0, count: min(4, request.leaves.end - $0))
    }
  }

  /// The frames of the right answer.
  func answer(_ request: ChunkRequest) -> [[UInt8]] { runs(of: request).map { data(request, $0) } }
}
