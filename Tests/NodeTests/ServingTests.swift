// A server against misbehaving clients: only their own connections end, and other clients are served.
import Content
import Posix
import Sodium
import Testing
import TestSupport

@testable import PeerNode
@testable import Wire

@Suite struct ServingTests {
  // MARK: Before the channel

  static let garbage: [[UInt8]] = [
    [], [0], Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8), [UInt8](repeating: 0xFF, count: 4096),
    Array("p2pnod".utf8), Array("p2pnode".utf8) + [2, 1, 0, 0, 0, 0, 0, 0, 0],
    Array("p2pnode".utf8) + [1, 0, 0, 0, 0, 0, 0, 0, 0], Array("p2pnode".utf8) + [1, 3, 0, 0, 0, 0, 0, 0, 0],
    Array("p2pnode".utf8) + [1, 1, 2, 0, 0, 0, 0, 0, 0], Array("p2pnode".utf8) + [1, 1, 0, 0, 0, 0, 0, 0, 1],
    Preamble(suite: .chaChaPoly, pattern: .xx).encode() + [0, 0],
    Preamble(suite: .chaChaPoly, pattern: .xx).encode() + [255, 255],
    Preamble(suite: .chaChaPoly, pattern: .xx).encode() + [0, 48] + [UInt8](repeating: 9, count: 48),
    // A public key of low order.
    Preamble(suite: .chaChaPoly, pattern: .xx).encode() + [0, 32] + [UInt8](repeating: 0, count: 32),
  ]

  @Test func `garbage instead of a handshake gets no answer, and others are served`() throws {
    let samples = try ServedSamples()
    for bytes in ServingTests.garbage {
      let socket = try BlockingSocket(dialling: samples.address)
      try socket.send(bytes)
      socket.finishSending()
      #expect(try socket.receiveToEnd() == [], "\(bytes.prefix(20))")
    }
    #expect(try samples.servesNewcomers())
  }

  @Test func `garbage after message 2 ends the connection without a byte`() throws {
    let samples = try ServedSamples()
    var handshake = dialerHandshake()
    let first = handshake.takeOutbound()
    for bytes in [[0, 0], [0, 63], [0, 64] + [UInt8](repeating: 3, count: 64), [1, 65], [255, 255]] as [[UInt8]] {
      let socket = try BlockingSocket(dialling: samples.address)
      try socket.send(first)
      _ = try socket.receive(exactly: 98)
      try socket.send(bytes)
      socket.finishSending()
      let rest = try socket.receiveToEnd()
      #expect(rest.count < 200, "no more than message 2")
    }
    #expect(try samples.servesNewcomers())
  }

  @Test func `a replayed first message gets one answer that its sender cannot use`() throws {
    let samples = try ServedSamples()
    var handshake = dialerHandshake()
    let first = handshake.takeOutbound()
    var answers: [[UInt8]] = []
    for _ in 0..<3 {
      let socket = try BlockingSocket(dialling: samples.address)
      try socket.send(first)
      let header = try socket.receive(exactly: 2)
      answers.append(try socket.receive(exactly: Int(header[0]) << 8 | Int(header[1])))
      // The replaying client has no key for message 3.
      try socket.send([0, 64] + answers[0].prefix(64))
      #expect(try socket.receiveToEnd() == [])
    }
    #expect(Set(answers.map { $0.prefix(32) }).count == 3, "every answer has an ephemeral key of its own")
    #expect(try samples.servesNewcomers())
  }

  @Test func `a private server sends no byte to an outsider`() throws {
    let key = try SwarmKey(.random())
    let samples = try ServedSamples(swarm: key)
    for swarm in [nil, try SwarmKey(.random())] {
      var handshake = dialerHandshake(swarm: swarm)
      let socket = try BlockingSocket(dialling: samples.address)
      try socket.send(handshake.takeOutbound())
      #expect(try socket.receiveToEnd() == [])
    }
    let member = try samples.dial(swarm: key)
    guard case .opened(let opened) = try member.open(Sample.small.fileID, swarm: key) else {
      Issue.record("no answer")
      return
    }
    if case .refused = opened.outcome { Issue.record("a member is refused") }
    // Without the swarm key, the same file has another proof.
    #expect(
      try member.open(Sample.small.fileID, handle: FileHandle(8))
        == .opened(Opened(handle: FileHandle(8), outcome: .refused(.noSuchFile))))
  }

  @Test func `a public server answers a dialer of another pattern or suite with its own preamble`() throws {
    let samples = try ServedSamples(suites: [.chaChaPoly])
    for (suite, pattern) in [(CipherSuite.chaChaPoly, HandshakePattern.xxpsk0), (.aesGCM, .xx)] {
      let socket = try BlockingSocket(dialling: samples.address)
      try socket.send(Preamble(suite: suite, pattern: pattern).encode())
      #expect(try socket.receiveToEnd() == Preamble(suite: .chaChaPoly, pattern: .xx).encode())
    }
  }

  @Test func `of 100 half-open connections from one address few stay, and an honest newcomer is served`() throws {
    let samples = try ServedSamples()
    var held: [BlockingSocket] = []
    for _ in 0..<100 {
      let socket = try BlockingSocket(dialling: samples.address)
      try socket.send(Array("p2pnode".utf8))
      held.append(socket)
    }
    #expect(try samples.servesNewcomers())
    let places = samples.server.context.admission { ($0.halfOpenCount, $0.places.halfOpen) }
    #expect(places.0 <= places.1 / 2)
    #expect(try samples.servesNewcomers())
    withExtendedLifetime(held) {}
  }

  @Test func `connections beyond the limit get GOODBYE, and places are free again when others end`() throws {
    let samples = try ServedSamples(connectionsMax: 3)
    var peers = try (0..<3).map { _ in try samples.client() }
    let extra = try samples.dial()
    #expect(try extra.receiveGoodbye()?.code == .tooManyConnections)
    #expect(try peers[0].fetch(1, count: 1) == Sample.common.leaves(LeafRange(first: 0, count: 1), of: ChunkIndex(1)))
    let gone = peers.removeLast()
    try gone.send(.goodbye(Goodbye(code: .done)))
    #expect(try gone.receiveGoodbye() == nil)
    #expect(try samples.servesNewcomers())
  }

  // MARK: After the handshake

  @Test func `a record that does not open ends the connection without a byte`() throws {
    let samples = try ServedSamples()
    let spoils: [@Sendable ([UInt8]) -> [UInt8]] = [
      { Array($0.dropLast()) + [$0.last! ^ 1] }, { [0, 16] + $0.dropFirst(2) }, { [0, 0] + $0.dropFirst(2) },
      { $0 + $0 },
    ]
    for spoil in spoils {
      let peer = try samples.dial()
      try peer.socket.send(spoil(peer.seal(Message.ping(1).frame)))
      #expect(try peer.receiveGoodbye() == nil)
    }
    #expect(try samples.servesNewcomers())
  }

  @Test func `frames of unknown odd types are skipped, however they are split`() throws {
    let samples = try ServedSamples()
    let peer = try samples.dial()
    let bytes = frame(type: 0x33, body: [UInt8](repeating: 2, count: 65_535)) + Message.ping(77).frame
    for start in stride(from: 0, to: bytes.count, by: 30_000) {
      try peer.send(frames: Array(bytes[start..<min(start + 30_000, bytes.count)]))
    }
    #expect(try peer.receive().message == .pong(77))
  }

  @Test func `a CANCEL of an unknown request is ignored`() throws {
    let samples = try ServedSamples()
    let peer = try samples.client()
    try peer.send(.cancel(RequestID(99)))
    try peer.send(.ping(1))
    #expect(try peer.receive().message == .pong(1))
  }

  // MARK: Files that are not known

  @Test func `OPEN with a wrong proof in the right bucket reveals nothing`() throws {
    let samples = try ServedSamples()
    let peer = try samples.dial()
    let key = FileKey(Sample.common.fileID, swarm: nil)
    let wrongProofs: [Digest] = [
      .zero, key.openProof(.zero, sender: .dialer), key.openProof(peer.handshakeHash, sender: .listener),
      key.haveProof(peer.handshakeHash, sender: .dialer),
    ]
    for (i, proof) in wrongProofs.enumerated() {
      let handle = FileHandle(UInt32(i))
      try peer.send(.open(Open(handle: handle, bucket: key.bucket, proof: proof)))
      #expect(try peer.receive().message == .opened(Opened(handle: handle, outcome: .refused(.noSuchFile))))
    }
    // The proof for one connection is not valid on another.
    let other = try samples.dial()
    try other.send(peer.openMessage(Sample.common.fileID))
    #expect(
      try other.receive().message == .opened(Opened(handle: ScriptedPeer.handle, outcome: .refused(.noSuchFile))))
    for secret in [Sample.common.fileID.digest.bytes, Sample.common.file.root.bytes, Array(Sample.common.name.utf8)] {
      #expect(!contains(peer.decrypted, secret))
      #expect(!contains(other.decrypted, secret))
    }
  }

  @Test func `the 65th file of a connection is refused`() throws {
    let files = (0...64).map { Sample("\($0).bin", byteCount: 100 + $0) }
    let samples = try ServedSamples(files)
    let peer = try samples.dial()
    for (i, file) in files.enumerated() {
      let handle = FileHandle(UInt32(i))
      guard case .opened(let opened) = try peer.open(file.fileID, handle: handle) else {
        throw SocketEnd.endOfStream
      }
      #expect((opened.outcome == .refused(.tooManyFilesOpen)) == (i == 64))
    }
  }

  @Test func `an open file is not opened under a second handle, and the first handle stays`() throws {
    let samples = try ServedSamples()
    let peer = try samples.client()
    #expect(
      try peer.open(Sample.common.fileID, handle: FileHandle(8))
        == .opened(Opened(handle: FileHandle(8), outcome: .refused(.tooManyFilesOpen))))
    #expect(try peer.fetch(0, count: 1) == Sample.common.leaves(LeafRange(first: 0, count: 1), of: ChunkIndex(0)))
    guard case .opened(let opened) = try peer.open(Sample.small.fileID, handle: FileHandle(9)) else {
      throw SocketEnd.endOfStream
    }
    #expect(opened.outcome != .refused(.tooManyFilesOpen), "another file has a handle of its own")
  }
}

func dialerHandshake(swarm: SwarmKey? = nil) -> ChannelHandshake {
  ChannelHandshake(
    dialing: .random(), suite: .chaChaPoly, swarm: swarm, pinned: nil, payload: HandshakePayload(),
    ephemeral: .random())
}
