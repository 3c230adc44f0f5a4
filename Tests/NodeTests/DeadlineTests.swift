// The deadlines of a connection, on a clock that the test controls. No test waits for them.
import Content
import Glibc
import Posix
import Testing
import Transfer
import TestSupport

@testable import PeerNode
@testable import Wire

/// An accepted connection on a loop that does not run. The test decides what happens, and at which time.
private final class StillConnection {
  let loop: NetworkLoop
  let connection: PeerConnection
  let socket: BlockingSocket
  let events = EventLog()
  let start: Instant

  init(connectionsMax: Int? = nil) throws {
    var configuration = NodeConfiguration(identity: .random())
    configuration.loopCount = 1
    configuration.connectionsMax = connectionsMax
    let events = self.events
    loop = try NetworkLoop(context: NodeContext(configuration) { events.add($0) }, index: 0)
    let listener = try Socket.listening(on: .loopback(0))
    let address = try listener.localAddress()
    socket = try BlockingSocket(dialling: address)
    guard let (accepted, from) = try listener.accepting() else { throw SocketEnd.endOfStream }
    connection = PeerConnection(
      loop: loop, token: loop.context.names.take(forLoop: 0), socket: Socket(owning: accepted), address: from)
    try loop.enter(connection)
    start = loop.now
  }

  /// Completes the handshake with the connection.
  func peer() throws -> ScriptedPeer {
    let connection = self.connection
    return try ScriptedPeer(over: socket, afterSend: { connection.isReady(.readable) })
  }

  /// Another connection of the same peer arrives, so the admission asks whether this one is alive.
  func comeAgain(as peer: ScriptedPeer) throws -> ConnectionToken {
    let token = loop.context.names.take(forLoop: 0)
    let (verdict, orders) = loop.context.admission {
      $0.establish(token, from: connection.group, as: connection.peer!.id, meansSeveral: false)
    }
    #expect(verdict == .admitted && orders == [.probe(connection.token)])
    connection.probe()
    return token
  }

  /// Sends until the kernel accepts no more, because the peer does not read.
  func fill() throws {
    let peer = try #require(connection.peer)
    for _ in 0..<1_000 where connection.outbound.bytes.isEmpty {
      for _ in 0..<1_000 { connection.send(.ping(1), to: peer) }
      connection.flush()
    }
    let waiting = connection.outbound.bytes.count
    try #require(waiting > 0)
  }

  /// Checks the deadlines at a number of seconds after the start.
  func check(at seconds: Double) {
    loop.now = start + .nanoseconds(Int64(seconds * 1e9))
    connection.checkDeadlines()
  }
}

@Suite struct DeadlineTests {
  @Test func `a handshake that stalls ends after 10 s without a byte`() throws {
    let still = try StillConnection()
    try still.socket.send(Array("p2pnode".utf8))
    still.connection.isReady(.readable)
    still.check(at: 9.9)
    #expect(!still.connection.isClosed)
    still.check(at: 10)
    #expect(still.connection.isClosed)
    #expect(still.events.next { if case .turnedAway(_, .silent) = $0 { true } else { false } } != nil)
  }

  @Test func `a handshake has 10 s in all, however its bytes trickle in`() throws {
    let still = try StillConnection()
    var handshake = dialerHandshake()
    for (i, byte) in handshake.takeOutbound().prefix(20).enumerated() {
      try still.socket.send([byte])
      still.check(at: Double(i) * 0.5)
      still.connection.isReady(.readable)
    }
    #expect(!still.connection.isClosed)
    still.check(at: 10)
    #expect(still.connection.isClosed)
  }

  @Test func `a silent peer gets a PING after 60 s and GOODBYE after 120 s`() throws {
    let still = try StillConnection()
    let peer = try still.peer()
    for seconds in [59, 60, 61, 90, 119] { still.check(at: Double(seconds)) }
    #expect(!still.connection.isFinishing)
    still.check(at: 120)
    guard case .ping = try peer.receive().message else {
      Issue.record("no PING")
      return
    }
    #expect(try peer.receive().message.goodbyeCode == .idle, "one PING, then the end")
  }

  @Test func `an answer to PING keeps the connection`() throws {
    let still = try StillConnection()
    let peer = try still.peer()
    still.check(at: 60)
    guard case .ping(let number) = try peer.receive().message else {
      Issue.record("no PING")
      return
    }
    try peer.send(.pong(number))
    still.check(at: 179)
    #expect(!still.connection.isFinishing && !still.connection.isClosed)
  }

  @Test func `a frame that arrives too slowly ends the connection`() throws {
    let still = try StillConnection()
    let peer = try still.peer()
    try peer.send(frames: [0, 0, 0])
    still.check(at: 9.9)
    #expect(!still.connection.isFinishing && !still.connection.isClosed)
    // A byte from time to time is not enough.
    try peer.send(frames: [9])
    still.check(at: 10.1)
    #expect(try peer.receive().message.goodbyeCode == .tooSlow)
  }

  @Test func `time in which a frame waits for the node does not count against the peer`() throws {
    let still = try StillConnection()
    let peer = try still.peer()
    try peer.send(frames: [0, 0, 0])
    still.connection.marks.isStarving = true  // no block is free, so nothing is read
    still.check(at: 30)
    #expect(!still.connection.isFinishing && !still.connection.isClosed)
    still.connection.goOn()
    still.check(at: 39)
    #expect(!still.connection.isFinishing && !still.connection.isClosed)
    still.check(at: 41)
    #expect(try peer.receive().message.goodbyeCode == .tooSlow)
  }

  @Test func `a connection without an open file is closed after 10 s if places are scarce`() throws {
    let still = try StillConnection(connectionsMax: 1)
    let peer = try still.peer()
    still.check(at: 9.9)
    #expect(!still.connection.isFinishing)
    still.check(at: 10)
    #expect(try peer.receive().message.goodbyeCode == .tooManyConnections)
  }

  @Test func `a connection without an open file stays if places are plenty`() throws {
    let still = try StillConnection(connectionsMax: 2)
    let peer = try still.peer()
    still.check(at: 59)
    #expect(!still.connection.isFinishing && !still.connection.isClosed)
    withExtendedLifetime(peer) {}
  }

  @Test func `an older connection whose peer does not answer a PING in 5 s gives way to the newer one`() throws {
    let still = try StillConnection()
    let peer = try still.peer()
    let older = still.connection.token
    let newer = try still.comeAgain(as: peer)
    still.check(at: 4.9)
    #expect(!still.connection.isFinishing)
    still.check(at: 5)
    #expect(still.loop.turn(), "the order is carried out")
    guard case .ping = try peer.receive().message else {
      Issue.record("no PING")
      return
    }
    #expect(try peer.receive().message.goodbyeCode == .duplicateConnection)
    #expect(still.loop.context.admission { $0.holdsPlace(newer) && !$0.holdsPlace(older) })
  }

  @Test func `an older connection whose peer answers stays, and gets no second PING meanwhile`() throws {
    let still = try StillConnection()
    let peer = try still.peer()
    still.check(at: 60)
    guard case .ping(let number) = try peer.receive().message else {
      Issue.record("no PING")
      return
    }
    let older = still.connection.token
    let newer = try still.comeAgain(as: peer)
    still.loop.now = still.start + .seconds(61)
    try peer.send(.pong(number))
    #expect(still.loop.context.admission { $0.holdsPlace(older) && !$0.holdsPlace(newer) })
    try peer.send(.ping(7))
    #expect(try peer.receive().message == .pong(7))
  }

  @Test func `a peer that takes no bytes for 60 s is dropped`() throws {
    let still = try StillConnection()
    let peer = try still.peer()
    try still.fill()
    defer { withExtendedLifetime(peer) {} }
    still.check(at: 59)
    #expect(!still.connection.isClosed)
    still.check(at: 61)
    #expect(still.connection.isClosed)
  }

  @Test func `on a slow connection the kernel holds few unsent bytes`() throws {
    let still = try StillConnection()
    let peer = try still.peer()
    try still.fill()
    defer { withExtendedLifetime(peer) {} }
    var unsentMax: Int32 = 0
    func flush(at seconds: Double) {
      still.loop.now = still.start + .nanoseconds(Int64(seconds * 1e9))
      still.connection.flush()
      var length = socklen_t(MemoryLayout<Int32>.size)
      let tcpNotsentLowat: Int32 = 25
      getsockopt(still.connection.socket.number, Int32(IPPROTO_TCP), tcpNotsentLowat, &unsentMax, &length)
    }
    flush(at: 0.019)
    #expect(!still.connection.timers.isSlow && Int(unsentMax) == NodeLimits.unsentBytesMax)
    flush(at: 0.02)
    #expect(still.connection.timers.isSlow && Int(unsentMax) == NodeLimits.slowUnsentBytesMax)
  }

  @Test func `an idle connection holds no buffers`() throws {
    let still = try StillConnection()
    let peer = try still.peer()
    try peer.send(frames: frame(type: 0x41, body: [UInt8](repeating: 1, count: 60_000)) + Message.ping(1).frame)
    #expect(try peer.receive().message == .pong(1))
    let held = still.connection.inbound.bytes.capacity + still.connection.outbound.bytes.capacity
    #expect(held <= NodeLimits.idleConnectionBytesMax)
  }
}
