// A server against clients that do what they must not: only their own connection ends, and the others are served.
import Content
import Posix
import Sodium
import Storage
import Synchronization
import Testing

@testable import Node
@testable import Wire

/// A server of the common samples in its own folders, for one test.
final class ServedSamples {
  let server: Server
  private let folder = TemporaryFolder()
  private let scratch = TemporaryFolder()
  private let events = EventLog()

  init(
    _ samples: [Sample] = [.common, .small], swarm: SwarmKey? = nil, connectionsMax: Int = 64,
    suites: [CipherSuite] = CipherSuite.available
  ) throws {
    for sample in samples { folder.write(sample.name, sample.bytes) }
    var configuration = NodeConfiguration(identity: .random(), swarmKey: swarm, suites: suites)
    configuration.connectionsMax = connectionsMax
    configuration.loopCount = 2
    let events = self.events
    server = try Server(
      configuration, folder: folder.path, listen: .loopback(0), scratchFolder: scratch.path
    ) { events.add($0) }
    try server.scan { _ in }
  }

  deinit { server.shutDown(grace: .zero) }

  var address: SocketAddress { server.address }
  func dial(swarm: SwarmKey? = nil) throws -> ScriptedPeer { try ScriptedPeer(dialling: address, swarm: swarm) }

  /// A client that has the common sample open.
  func client() throws -> ScriptedPeer {
    let peer = try dial()
    guard case .opened(let opened) = try peer.open(Sample.common.fileID), case .opened = opened.outcome else {
      throw SocketEnd.endOfStream
    }
    return peer
  }

  /// The next event of the server that `matches`; nil if none comes within the bound.
  func event(_ matches: @Sendable (NodeEvent) -> Bool) -> NodeEvent? { events.next(matches) }

  /// Whether an honest newcomer gets what it asks for.
  func servesNewcomers() throws -> Bool {
    try client().fetch(0, first: 8, count: 9) == Sample.common.leaves(LeafRange(first: 8, count: 9), of: ChunkIndex(0))
  }
}

/// Events in the order in which they came, for a thread that waits for one.
final class EventLog: Sendable {
  private let events = BlockingQueue<NodeEvent>()

  func add(_ event: NodeEvent) { events.put(event) }

  func next(_ matches: (NodeEvent) -> Bool) -> NodeEvent? {
    let events = self.events
    let watchdog = Watchdog(seconds: 10) { events.close() }
    defer { withExtendedLifetime(watchdog) {} }
    while let event = events.take() { if matches(event) { return event } }
    return nil
  }
}

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
    // A point of low order.
    Preamble(suite: .chaChaPoly, pattern: .xx).encode() + [0, 32] + [UInt8](repeating: 0, count: 32),
  ]

  @Test func `garbage in place of a handshake gets no answer, and others are served`() throws {
    let samples = try ServedSamples()
    for bytes in ServingTests.garbage {
      let socket = try BlockingSocket(dialling: samples.address)
      try socket.send(bytes)
      socket.finishSending()
      #expect(try socket.receiveToEnd() == [], "\(bytes.prefix(20))")
    }
    #expect(try samples.servesNewcomers())
  }

  @Test func `garbage after message 2 ends the connection without a word`() throws {
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

  @Test func `a replayed first message draws one answer that its sender cannot use`() throws {
    let samples = try ServedSamples()
    var handshake = dialerHandshake()
    let first = handshake.takeOutbound()
    var answers: [[UInt8]] = []
    for _ in 0..<3 {
      let socket = try BlockingSocket(dialling: samples.address)
      try socket.send(first)
      let header = try socket.receive(exactly: 2)
      answers.append(try socket.receive(exactly: Int(header[0]) << 8 | Int(header[1])))
      // The replayer has no key for message 3.
      try socket.send([0, 64] + answers[0].prefix(64))
      #expect(try socket.receiveToEnd() == [])
    }
    #expect(Set(answers.map { $0.prefix(32) }).count == 3, "every answer has an ephemeral key of its own")
    #expect(try samples.servesNewcomers())
  }

  @Test func `a private server gives an outsider no byte`() throws {
    let key = SwarmKey(.random())
    let samples = try ServedSamples(swarm: key)
    for swarm in [nil, SwarmKey(.random())] {
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
    // The same file under the public key is another file.
    #expect(
      try member.open(Sample.small.fileID, handle: FileHandle(8))
        == .opened(Opened(handle: FileHandle(8), outcome: .refused(.noSuchFile))))
  }

  @Test func `a public server tells who comes with another pattern or suite what it speaks`() throws {
    let samples = try ServedSamples(suites: [.chaChaPoly])
    for (suite, pattern) in [(CipherSuite.chaChaPoly, HandshakePattern.xxpsk0), (.aesGCM, .xx)] {
      let socket = try BlockingSocket(dialling: samples.address)
      try socket.send(Preamble(suite: suite, pattern: pattern).encode())
      #expect(try socket.receiveToEnd() == Preamble(suite: .chaChaPoly, pattern: .xx).encode())
    }
  }

  @Test func `of 100 half-open connections the oldest go, and an honest newcomer gets through`() throws {
    let samples = try ServedSamples()
    var held: [BlockingSocket] = []
    for _ in 0..<100 {
      let socket = try BlockingSocket(dialling: samples.address)
      try socket.send(Array("p2pnode".utf8))
      held.append(socket)
    }
    #expect(try samples.servesNewcomers())
    // All but the newest are gone: their streams end without a byte.
    for socket in held.prefix(100 - NodeLimits.halfOpenPerAddressMax) { #expect(try socket.receiveToEnd() == []) }
    #expect(try samples.servesNewcomers())
  }

  @Test func `connections beyond the limit get GOODBYE, and room is made again when others end`() throws {
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

  // MARK: Frames that break the protocol

  /// Frames after OPEN of the common sample, and whether they break the protocol.
  static let breaches: [(name: String, frames: @Sendable (ScriptedPeer) -> [UInt8])] = {
    @Sendable func request(
      _ id: UInt32, _ handle: UInt32, _ chunk: UInt32, _ first: UInt8, _ count: UInt8, flags: UInt8 = 0
    ) -> [UInt8] {
      frame(type: 0x0A, body: big(id) + big(handle) + big(chunk) + [first, count, flags])
    }
    return [
      ("a handle that was never open", { _ in request(1, 8, 0, 0, 1) }),
      ("a page of a handle that was never open", { _ in frame(type: 6, body: big(8) + big(0)) }),
      ("a page that the file has not", { _ in frame(type: 6, body: big(7) + big(1)) }),
      ("the last page of all", { _ in frame(type: 6, body: big(7) + big(.max)) }),
      ("a chunk beyond the file", { _ in request(1, 7, 4, 0, 1) }),
      ("the last chunk of all", { _ in request(1, 7, .max, 0, 1) }),
      ("a leaf beyond the chunk", { _ in request(1, 7, 3, 2, 1) }),
      ("leaves that lead out of the chunk", { _ in request(1, 7, 3, 1, 2) }),
      ("a leaf that no chunk has", { _ in request(1, 7, 0, 64, 1) }),
      ("leaves that no chunk has", { _ in request(1, 7, 0, 255, 255) }),
      ("no leaves", { _ in request(1, 7, 0, 0, 0) }),
      ("an unknown flag", { _ in request(1, 7, 0, 0, 1, flags: 2) }),
      ("an id twice", { _ in request(5, 7, 0, 0, 1) + request(5, 7, 0, 0, 1) }),
      ("an id that falls", { _ in request(.max, 7, 0, 0, 1) + request(0, 7, 0, 0, 1) }),
      ("a handle in use", { $0.openMessage(Sample.common.fileID).frame }),
      ("OPENED to one that opened nothing", { _ in frame(type: 4, body: big(7) + [1]) }),
      (
        "PAGE to one that opened nothing",
        { _ in
          Message.page(PageAnswer(handle: FileHandle(7), page: 0, chunkHashes: [.zero], uncles: [])).frame
        }
      ),
      ("DATA to one that asked nothing", { _ in frame(type: 0x0C, body: big(1) + [0, 1, 2, 0]) }),
      ("BUSY to one that asked nothing", { _ in frame(type: 0x10, body: big(1) + big(1)) }),
      ("WITHDRAWN to one that opened nothing", { _ in frame(type: 0x16, body: big(7) + [1]) }),
      ("HAVE to one that opened nothing", { _ in frame(type: 0x12, body: big(7) + [0, 1] + big(0) + [0, 1]) }),
      ("BITMAP to one that opened nothing", { _ in frame(type: 0x14, body: big(7) + big(0) + big(1) + [128]) }),
      ("PEERS to one that opened nothing", { _ in frame(type: 0x18, body: big(7) + [0]) }),
      ("an unknown even type", { _ in frame(type: 0x20, body: []) }),
      ("type 0", { _ in frame(type: 0, body: []) }),
      ("a PING that is too short", { _ in frame(type: 0x1A, body: [1]) }),
      ("a frame of no bytes", { _ in big(0) }),
      ("a frame of 4 GiB", { _ in big(.max) + [2] }),
      ("an OPEN of 64 KiB", { _ in big(65_536) + [2] }),
      (
        "65 pages at a time",
        { _ in
          (0..<65).flatMap { _ in frame(type: 6, body: big(7) + big(0)) }
        }
      ),
    ]
  }()

  @Test(arguments: breaches.indices)
  func `a breach of the protocol ends that connection with GOODBYE, and no other`(_ index: Int) throws {
    let samples = try ServedSamples()
    let neighbour = try samples.client()
    let peer = try samples.client()
    let breach = ServingTests.breaches[index]
    try peer.send(frames: breach.frames(peer))
    #expect(try peer.receiveGoodbye()?.code == .protocolError, "\(breach.name)")
    #expect(throws: SocketEnd.self) { try peer.receive() }
    let leaves = LeafRange(first: 0, count: 2)
    #expect(try neighbour.fetch(3, count: 2) == Sample.common.leaves(leaves, of: ChunkIndex(3)))
  }

  @Test func `a record that does not open ends the connection without a word`() throws {
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

  @Test func `unknown odd frames are skipped, however they are cut`() throws {
    let samples = try ServedSamples()
    let peer = try samples.dial()
    let bytes = frame(type: 0x33, body: [UInt8](repeating: 2, count: 65_535)) + Message.ping(77).frame
    for start in stride(from: 0, to: bytes.count, by: 30_000) {
      try peer.send(frames: Array(bytes[start..<min(start + 30_000, bytes.count)]))
    }
    #expect(try peer.receive().message == .pong(77))
  }

  @Test func `a CANCEL of what was never asked is ignored`() throws {
    let samples = try ServedSamples()
    let peer = try samples.client()
    try peer.send(.cancel(RequestID(99)))
    try peer.send(.ping(1))
    #expect(try peer.receive().message == .pong(1))
  }

  // MARK: Files that are not known

  @Test func `OPEN with a wrong proof in the right bucket learns nothing`() throws {
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
    // The proof of one connection is none on another.
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
    let samples = try ServedSamples()
    let peer = try samples.dial()
    for handle in 0..<UInt32(64) {
      guard case .opened(let opened) = try peer.open(Sample.common.fileID, handle: FileHandle(handle)),
        case .opened = opened.outcome
      else {
        Issue.record("handle \(handle)")
        return
      }
    }
    #expect(
      try peer.open(Sample.common.fileID, handle: FileHandle(64))
        == .opened(Opened(handle: FileHandle(64), outcome: .refused(.tooManyFilesOpen))))
  }
}

func big(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32($0))) } }

func dialerHandshake(swarm: SwarmKey? = nil) -> ChannelHandshake {
  ChannelHandshake(
    dialing: .random(), suite: .chaChaPoly, swarm: swarm, pinned: nil, payload: HandshakePayload(),
    ephemeral: .random())
}
