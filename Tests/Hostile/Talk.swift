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
  /// OPENED with the file's manifest.
  func offer(_ availability: OfferedFile.Availability = .complete) throws {
    try peer.offer(file, as: handle, availability: availability)
  }

  /// BITMAP of the whole file: all chunks, or those that are named.
  func claim(_ chunks: [Int]? = nil) throws {
    var bits = [UInt8](repeating: 0, count: (file.chunkCount + 7) / 8)
    for chunk in chunks ?? Array(0..<file.chunkCount) { bits[chunk / 8] |= 0x80 >> UInt8(chunk % 8) }
    try send(.bitmap(Bitmap(handle: handle, firstChunk: ChunkIndex(0), count: file.chunkCount, bits: bits)))
  }
}
