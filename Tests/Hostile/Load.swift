// A load on a server until it is stopped: threads with a common counter and a common end.
import Glibc
import Posix
import Synchronization
import TestSupport
import Wire

/// A running load. Each body runs on its own thread and checks `isOver`.
final class Load: Sendable {
  /// What the load has done: connects, requests or what else its case counts.
  let count = Counter()
  /// The number of its parts that have reached the state that the case needs.
  let ready = Counter()
  private let isStopped = Atomic<Bool>(false)
  private let threads = Mutex<[Posix.Thread]>([])

  var isOver: Bool { isStopped.load(ordering: .relaxed) }

  /// - `body`: the work of each thread, with the thread's number.
  init(threads count: Int, _ body: @escaping @Sendable (Load, Int) -> Void) {
    let started = (0..<count).map { i in Posix.Thread.start(name: "load") { body(self, i) } }
    threads.withLock { $0 = started }
  }

  convenience init(_ body: @escaping @Sendable (Load) -> Void) { self.init(threads: 1) { load, _ in body(load) } }

  /// Waits until `wanted` parts are ready, but at most `seconds`.
  func awaitReady(_ wanted: Int, within seconds: Double) {
    let end = Clock.seconds + seconds
    while ready.value < wanted && Clock.seconds < end { pause(milliseconds: 10) }
  }

  func awaitCount(_ wanted: Int, within seconds: Double) {
    let end = Clock.seconds + seconds
    while count.value < wanted && Clock.seconds < end { pause(milliseconds: 10) }
  }

  func stop() {
    isStopped.store(true, ordering: .relaxed)
    for thread in threads.withLock({ taken in
      defer { taken = [] }
      return taken
    }) { thread.join() }
  }

  /// Repeats a body until the load is over, also after errors.
  func again(pausing milliseconds: Int32 = 1, _ body: () throws -> Void) {
    while !isOver {
      do { try body() } catch { pause(milliseconds: milliseconds) }
    }
  }
}

/// Makes a peer with a complete handshake. It does not keep what it receives.
/// - `receiveBytes`: the size of the kernel's receive buffer. Nil: the default.
func established(
  _ target: Endpoint, from ip: [UInt8], as identity: StaticIdentity = .random(), listenPort: UInt16? = nil,
  receiveBytes: Int32? = nil
) throws -> ScriptedPeer {
  let socket = try BlockingSocket(dialling: target, from: ip)
  if let receiveBytes { socket.limitReceiveBuffer(bytes: receiveBytes) }
  let peer = try ScriptedPeer(over: socket, as: identity, listenPort: listenPort)
  peer.keepsDecrypted = false
  return peer
}

/// Many plain sockets on one thread. None of them blocks.
struct SocketHerd: ~Copyable {
  private var sockets: [Int32]
  private let target: Endpoint
  private let sources: [[UInt8]]
  private var next = 0

  /// - `sources`: the local addresses to use in turn, 16 bytes each.
  init(count: Int, to target: Endpoint, from sources: [[UInt8]]) {
    (self.target, self.sources) = (target, sources)
    sockets = Array(repeating: -1, count: count)
  }

  deinit { for socket in sockets where socket >= 0 { close(socket) } }

  var count: Int { sockets.count }

  /// Whether a socket is open or connecting.
  func isOpen(_ i: Int) -> Bool { sockets[i] >= 0 }

  /// Opens a socket if it is closed.
  mutating func open(_ i: Int) {
    guard sockets[i] < 0 else { return }
    sockets[i] = SocketHerd.connect(to: target, from: sources[next % sources.count])
    next += 1
  }

  /// Closes a socket with a reset, so that its port is free again.
  mutating func reset(_ i: Int) {
    guard sockets[i] >= 0 else { return }
    var hard = linger(l_onoff: 1, l_linger: 0)
    setsockopt(sockets[i], SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
    close(sockets[i])
    sockets[i] = -1
  }

  /// Sends what the kernel takes at once. Closes the socket if the other end has closed.
  mutating func send(_ bytes: [UInt8], on i: Int) {
    guard sockets[i] >= 0 else { return }
    let sent = Glibc.send(sockets[i], bytes, bytes.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
    if sent < 0 && errno != EAGAIN && errno != ENOTCONN { reset(i) }
  }

  /// Drops received bytes. Closes the socket if the other end has closed.
  mutating func drain(_ i: Int) {
    guard sockets[i] >= 0 else { return }
    let count = recv(sockets[i], nil, 1 << 20, Int32(MSG_DONTWAIT | MSG_TRUNC))
    if count == 0 || count < 0 && errno != EAGAIN && errno != ENOTCONN { reset(i) }
  }

  /// Returns a socket that connects or is refused later. -1 if the system has none left.
  private static func connect(to target: Endpoint, from ip: [UInt8]) -> Int32 {
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let number = socket(AF_INET, kind, 0)
    guard number >= 0 else { return -1 }
    var one: Int32 = 1
    setsockopt(number, Int32(IPPROTO_IP), BlockingSocket.bindAddressNoPort, &one, 4)
    _ = BlockingSocket.withAddress(ip, 0) { bind(number, $0, $1) }
    if BlockingSocket.withAddress(target.ip, target.port, { Glibc.connect(number, $0, $1) }) != 0, errno != EINPROGRESS
    {
      close(number)
      return -1
    }
    return number
  }
}
