// One conversation of a hostile peer with a downloader: the requests, and correct and incorrect answers.
import Content
import Posix
import TestSupport
import Wire

/// A point in a conversation at which a peer can leave, fall silent or slow down.
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

/// The hostile peer closes the connection now.
struct Cut: Error {}

/// A conversation. Confined to the thread of its connection.
final class Talk {
  let peer: ScriptedPeer
  let file: HostileFile
  /// Other peers that it may announce in PEERS.
  let others: [PeerExchange.Entry]
  /// The handle with which the downloader has opened the file here.
  private(set) var handle = FileHandle(0)
  /// The number of answers to REQUESTs that it has begun.
  private(set) var answers = 0

  init(_ peer: ScriptedPeer, _ file: HostileFile, others: [PeerExchange.Entry]) {
    (self.peer, self.file, self.others) = (peer, file, others)
    peer.keepsDecrypted = false
  }

  var role: ChannelRole { peer.role }

  func send(_ messages: Message...) throws { try peer.send(frames: messages.flatMap(\.frame)) }

  /// Sends nothing more until the other end closes.
  func hang() throws -> Never {
    peer.socket.delay(milliseconds: 3_600_000)
    throw Cut()
  }

  /// Sends bytes of the stream, one per second.
  func dribble(_ bytes: [UInt8]) throws {
    for byte in peer.seal(bytes) {
      try peer.socket.send([byte])
      peer.socket.delay(milliseconds: 1_000)
    }
  }

  /// Sends frames repeatedly at 4 MB/s. The load should cost the other end's time, not this machine's.
  func flood(_ frame: [UInt8]) throws -> Never {
    let frames = (0..<max(1, 65_000 / frame.count)).flatMap { _ in frame }
    while true {
      try peer.send(frames: frames)
      _ = try peer.socket.discardReceived()
      pause(milliseconds: 16)
    }
  }

  // MARK: The conversation

  /// Answers until the other end closes or the manner ends the conversation. The dialer opens the file first.
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
  /// Sends OPENED with the file's manifest.
  func offer(_ availability: OfferedFile.Availability = .complete) throws {
    try peer.offer(file, as: handle, availability: availability)
  }

  /// Sends a BITMAP of the whole file with all chunks or the given ones.
  func claim(_ chunks: [Int]? = nil) throws {
    var bits = [UInt8](repeating: 0, count: (file.chunkCount + 7) / 8)
    for chunk in chunks ?? Array(0..<file.chunkCount) { bits[chunk / 8] |= 0x80 >> UInt8(chunk % 8) }
    try send(.bitmap(Bitmap(handle: handle, firstChunk: ChunkIndex(0), count: file.chunkCount, bits: bits)))
  }
}
