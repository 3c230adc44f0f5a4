// Answers scrapers on one thread: a few connections, each with a bounded request, a bounded time and one answer.
import Posix

/// Serves pages until it is stopped. On a loopback address it answers only requests whose Host field names this
/// machine. It holds at most `connectionsMax` connections. For another one, the oldest without a complete request is
/// closed.
public final class MetricsServer: Sendable {
  static let connectionsMax = 16
  /// The most bytes of a request's head.
  static let requestBytesMax = 8_192
  /// The longest time from accepting to closing a connection.
  static let timeNanosecondsMax: Int64 = 10_000_000_000

  /// The address in use. It has the real port if port 0 was asked for.
  public let address: Endpoint
  private let thread: Thread
  private let stopping: Stopping

  /// A `WakeUp` that threads share.
  private final class Stopping: Sendable {
    let wakeUp: WakeUp
    init() throws(Errno) { wakeUp = try WakeUp() }
  }

  /// Starts to answer.
  /// - `page`: returns the page for a path and query. Nil if there is none. Called on the server's own thread.
  public init(
    at address: Endpoint, page: @escaping @Sendable (_ path: String, _ query: String?) -> HTTPPage?
  ) throws(Errno) {
    let socket = try Socket.listening(on: address, backlog: 16)
    self.address = try socket.localAddress()
    let stopping = try Stopping()
    self.stopping = stopping
    let loop = try MetricsLoop(socket, stopNumber: stopping.wakeUp.number, page: page)
    // The thread gets it before it starts, and no other thread uses it after that.
    nonisolated(unsafe) let running = loop
    thread = Thread.start(name: "p2p-metrics") {
      running.run()
      _ = stopping  // its descriptor stays open as long as the loop waits on it
    }
  }

  /// Closes the listener and all connections. Returns when that is done.
  public func stop() {
    stopping.wakeUp.signal()
    thread.join()
  }
}

/// The state of the server's thread.
private final class MetricsLoop {
  private static let stopToken: UInt64 = 0
  private static let listenerToken: UInt64 = 1

  private final class Connection {
    let socket: Socket
    let endsAt: Int64
    var request: [UInt8] = []
    /// The rest of the answer. Nil until the request is complete.
    var rest: ArraySlice<UInt8>?

    init(_ socket: consuming Socket, endsAt: Int64) {
      self.socket = socket
      self.endsAt = endsAt
    }
  }

  private let listener: Socket
  private let page: (_ path: String, _ query: String?) -> HTTPPage?
  private let address: Endpoint
  private var epoll: Epoll
  private var connections: [UInt64: Connection] = [:]
  private var nextToken: UInt64 = 2
  private var isAccepting = true
  /// After descriptors run out, no connection is accepted before this time, so that the loop does not spin.
  private var acceptsFrom: Int64 = 0

  init(
    _ listener: consuming Socket, stopNumber: Int32, page: @escaping (_ path: String, _ query: String?) -> HTTPPage?
  ) throws(Errno) {
    self.page = page
    address = try listener.localAddress()
    epoll = try Epoll(capacity: 32)
    try epoll.add(stopNumber, token: MetricsLoop.stopToken, .readable)
    try epoll.add(listener.number, token: MetricsLoop.listenerToken, .readable)
    self.listener = listener
  }

  func run() {
    while true {
      var tokens: [UInt64] = []
      do {
        try epoll.wait(milliseconds: connections.isEmpty && isAccepting ? -1 : 500) { token, _ in tokens.append(token) }
      } catch {
        preconditionFailure("epoll: \(error)")  // EBADF or EINVAL: our own bug
      }
      for token in tokens {
        switch token {
        case MetricsLoop.stopToken: return
        case MetricsLoop.listenerToken: accept()
        default: goOn(token)
        }
      }
      let now = Clock.monotonicNanoseconds
      for (token, connection) in connections where now >= connection.endsAt { leave(token) }
      accept(now >= acceptsFrom)
    }
  }

  private func accept(_ isWanted: Bool) {
    guard isWanted != isAccepting else { return }
    isAccepting = isWanted
    try? epoll.modify(listener.number, token: MetricsLoop.listenerToken, isWanted ? .readable : [])
  }

  private func accept() {
    do {
      // Accepts a bounded number at once, so that existing connections are served in between.
      for _ in 0..<MetricsServer.connectionsMax {
        guard let (number, _) = try listener.accepting() else { return }
        makeRoom()
        let endsAt = Clock.monotonicNanoseconds + MetricsServer.timeNanosecondsMax
        let connection = Connection(Socket(owning: number), endsAt: endsAt)
        try epoll.add(number, token: nextToken, .readable)
        connections[nextToken] = connection
        nextToken += 1
      }
    } catch {
      acceptsFrom = Clock.monotonicNanoseconds + 1_000_000_000
    }
  }

  private func makeRoom() {
    guard connections.count >= MetricsServer.connectionsMax else { return }
    let idle = connections.filter { $0.value.rest == nil }
    if let oldest = (idle.isEmpty ? connections : idle).keys.min() { leave(oldest) }
  }

  private func goOn(_ token: UInt64) {
    guard let connection = connections[token] else { return }
    if connection.rest == nil { receive(token, connection) } else { send(token, connection) }
  }

  private func receive(_ token: UInt64, _ connection: Connection) {
    var bytes = [UInt8](repeating: 0, count: 2_048)
    var received: Int?
    do {
      var span = bytes.mutableSpan
      var raw = span.mutableBytes
      received = try connection.socket.receive(into: &raw)
    } catch {
      return leave(token)
    }
    guard let received else { return }
    connection.request += bytes[..<received]
    var answer = HTTPRequest(connection.request).answer(at: address, page)
    if answer == nil, connection.request.count > MetricsServer.requestBytesMax {
      answer = HTTPRequest.malformed.answer(at: address, page)
    }
    if let answer {
      connection.rest = answer[...]
      send(token, connection)
    } else if received == 0 {
      leave(token)
    }
  }

  /// Sends what the system takes. When all is sent, waits until the other end closes, because closing first could cut
  /// off the answer.
  private func send(_ token: UInt64, _ connection: Connection) {
    do {
      while let rest = connection.rest, !rest.isEmpty {
        let piece = Array(rest.prefix(65_536))
        guard let sent = try connection.socket.send(piece.span.bytes) else {
          return try epoll.modify(connection.socket.number, token: token, .writable)
        }
        connection.rest = rest.dropFirst(sent)
        if connection.rest?.isEmpty == true {
          connection.socket.finishSending()
          try epoll.modify(connection.socket.number, token: token, .readable)
        }
      }
      var bytes = [UInt8](repeating: 0, count: 2_048)
      var span = bytes.mutableSpan
      var raw = span.mutableBytes
      if try connection.socket.receive(into: &raw) == 0 { leave(token) }
    } catch {
      leave(token)
    }
  }

  private func leave(_ token: UInt64) {
    guard let connection = connections.removeValue(forKey: token) else { return }
    try? epoll.remove(connection.socket.number)
  }
}
