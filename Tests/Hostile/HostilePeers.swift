// Hostile peers with their own threads: sources that are dialled, and strangers that dial a downloader.
import Posix
import Sodium
import Synchronization
import TestSupport
import Wire

/// The open sockets of some conversations, so that another thread can close them.
final class OpenSockets: Sendable {
  private struct State {
    var sockets: [ObjectIdentifier: BlockingSocket] = [:]
    var isClosed = false
  }

  private let state = Mutex(State())

  /// Runs a conversation. Returns false if `close` was called already.
  func during(_ socket: BlockingSocket, _ body: () throws -> Void) rethrows -> Bool {
    let isIn = state.withLock { state in
      if !state.isClosed { state.sockets[ObjectIdentifier(socket)] = socket }
      return !state.isClosed
    }
    guard isIn else { return false }
    defer {
      socket.shutDown()
      state.withLock { _ = $0.sockets.removeValue(forKey: ObjectIdentifier(socket)) }
    }
    try body()
    return true
  }

  var isClosed: Bool { state.withLock { $0.isClosed } }

  func close() {
    let sockets = state.withLock { state in
      state.isClosed = true
      return Array(state.sockets.values)
    }
    for socket in sockets { socket.shutDown() }
  }
}

/// A hostile peer at its own address, which a downloader dials.
final class HostileSource: Sendable {
  let address: Endpoint
  private let listener: BlockingSocket
  private let open = OpenSockets()
  private let thread: Thread
  private let count: Counter
  /// The PeerID of all its connections, if its manner is not fresh.
  let peerID: PeerID

  var connections: Int { count.value }

  init(
    at ip: [UInt8], _ file: HostileFile, _ manner: Manner,
    others: @escaping @Sendable () -> [PeerExchange.Entry] = { [] }
  ) throws {
    let listener = try BlockingSocket(listeningAt: ip)
    let open = self.open
    let count = Counter()
    let usual = StaticIdentity.random()
    (self.listener, self.count, peerID) = (listener, count, usual.peerID)
    address = Endpoint(ip: ip, port: listener.port)
    thread = Thread.start(name: "source") {
      var conversations: [Thread] = []
      while !open.isClosed, let socket = listener.accept() {
        count.add()
        conversations.append(
          Thread.start(name: "source") {
            _ = open.during(socket) {
              do {
                try manner.onConnect(socket)
                let identity = manner.isFresh ? StaticIdentity.random() : usual
                let peer = try ScriptedPeer(accepting: socket, as: identity)
                try Talk(peer, file, others: others()).converse(manner)
              } catch {
                // Whatever the error, the next conversation starts afresh.
              }
            }
          })
      }
      for conversation in conversations { conversation.join() }
    }
  }

  /// The value for `--peer`.
  var peer: String { "\(address)" }

  func stop() {
    listener.shutDown()
    open.close()
    thread.join()
  }
}

/// A stranger that dials a downloader repeatedly, each time with a new PeerID.
final class Stranger: Sendable {
  private let open = OpenSockets()
  private let thread: Thread
  private let count: Counter

  var connections: Int { count.value }

  init(
    from ip: [UInt8], to address: Endpoint, _ file: HostileFile, _ manner: Manner,
    others: @escaping @Sendable () -> [PeerExchange.Entry] = { [] }
  ) {
    let open = self.open
    let count = Counter()
    self.count = count
    thread = Thread.start(name: "stranger") {
      while !open.isClosed {
        do {
          let socket = try BlockingSocket(dialling: address, from: ip)
          count.add()
          _ = try open.during(socket) {
            try manner.onConnect(socket)
            let peer = try ScriptedPeer(over: socket, listenPort: 9_800)
            try Talk(peer, file, others: others()).converse(manner)
          }
        } catch {
          // The next connection starts afresh.
        }
        pause(milliseconds: 3)
      }
    }
  }

  func stop() {
    open.close()
    thread.join()
  }
}

/// A counter that threads share.
final class Counter: Sendable {
  private let number = Atomic<Int>(0)
  var value: Int { number.load(ordering: .relaxed) }
  func add(_ count: Int = 1) { number.add(count, ordering: .relaxed) }
}
