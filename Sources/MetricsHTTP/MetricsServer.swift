// Answers scrapers: one thread, a few connections, a bounded request, a bounded time, one answer each.
import Posix

/// Serves pages until it is stopped. On an address of the loopback it answers only requests whose Host field names this
/// machine. It holds at most `connectionsMax` connections; for one more the oldest that has asked for nothing has to go.
public final class MetricsServer: Sendable {
  static let connectionsMax = 16
  /// Of a request's head.
  static let requestBytesMax = 8_192
  /// From accepting to closing.
  static let timeNanosecondsMax: Int64 = 10_000_000_000

  /// The real port where 0 was asked for.
  public let address: Endpoint
  private let thread: Thread
  private let stopping: Stopping

  /// A wake-up that threads share.
  private final class Stopping: Sendable {
    let wakeUp: WakeUp
    init() throws(Errno) { wakeUp = try WakeUp() }
  }

  /// Starts to answer.
  /// - `page`: gives the page of a path and its query; nil: there is none. Called on the server's own thread.
  public init(
    at address: Endpoint, page: @escaping @Sendable (_ path: String, _ query: String?) -> HTTPPage?
  ) throws(Errno) {
    let socket = try Socket.listening(on: address, backlog: 16)
    self.address = try socket.localAddress()
    let stopping = try Stopping()
    self.stopping = stopping
    let loop = try MetricsLoop(socket, stopNumber: stopping.wakeUp.number, page: page)
    // Handed over before the thread starts, and from then on touched by that thread alone.
    nonisolated(unsafe) let running = loop
    thread = Thread.start(name: "p2p-metrics") {
      running.run()
      _ = stopping  // its descriptor stays open as long as the loop waits on it
    }
  }

  /// Closes all and returns when that is done.
  public func stop() {
    stopping.wakeUp.signal()
    thread.join()
  }
}

/// The thread's own.
private final class MetricsLoop {
  private static let stopToken: UInt64 = 0
  private static let listenerToken: UInt64 = 1

  private final class Connection {
    let socket: Socket
    let endsAt: Int64
    var request: [UInt8] = []
    /// Nil until the request is whole.
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
  /// Out of descriptors: until then nobody is accepted, instead of turning hot.
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
      // As many at once as there may be: then those that are there get on first.
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

  /// Sends what the system takes; once all is sent, waits for the other end to close, since closing first could cut the
  /// answer off.
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
