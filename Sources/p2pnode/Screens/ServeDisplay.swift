// The screen of a running `serve`. Looks at the server twice a second, on its own thread.
import PeerNode
import Posix
import Storage
import Synchronization
import Transfer

final class ServeDisplay: Sendable {
  private static let intervalMilliseconds: Int32 = 500

  private struct State {
    var hashing: HashReport?
    var isStopping = false
    var thread: Thread?
    var hasEnded = false
  }
  private let state = Mutex(State())
  private let wakeUp: WakeUp

  /// Nil if stderr is not a terminal.
  init?() {
    guard Console.isTerminal, let wakeUp = try? WakeUp() else { return nil }
    self.wakeUp = wakeUp
  }

  /// - `report`: the progress. Nil if hashing has ended.
  func hashing(_ report: HashReport?) { state.withLock { $0.hashing = report } }

  /// Shows the server until `end`.
  func start(_ server: Server, folder: String) {
    guard let epoll = try? Epoll(), (try? epoll.add(wakeUp.number, token: 0, .readable)) != nil else { return }
    // The thread gets it before it starts, and no other thread uses it after that.
    nonisolated(unsafe) var handed = Optional(epoll)
    let thread = Thread.start(name: "p2p-screen") { [self] in
      guard var epoll = handed.take() else { return }
      var speeds = ServeSpeeds()
      while !state.withLock({ $0.hasEnded }) {
        show(server, folder, &speeds)
        try? epoll.wait(milliseconds: ServeDisplay.intervalMilliseconds) { _, _ in }
      }
    }
    state.withLock { $0.thread = thread }
  }

  func stopping() { state.withLock { $0.isStopping = true } }

  /// Stops the thread and removes the screen.
  func end() {
    let thread = state.withLock { state in
      state.hasEnded = true
      return state.thread.take()
    }
    wakeUp.signal()
    thread?.join()
    Console.endShow()
  }

  private func show(_ server: Server, _ folder: String, _ speeds: inout ServeSpeeds) {
    let status = server.status()
    speeds.add(status, at: Clock.monotonicNanoseconds)
    let (hashing, isStopping) = state.withLock { ($0.hashing, $0.isStopping) }
    let screen = ServeScreen(
      folder: folder, status: status, bytesPerSecond: speeds.all.bytesPerSecond,
      speeds: speeds.connections.mapValues(\.bytesPerSecond), hashing: hashing, isStopping: isStopping)
    Console.show { screen.render($0, $1) }
  }
}

/// Rates from the server's counters, read again and again.
struct ServeSpeeds {
  private(set) var all = RateWindow()
  private(set) var connections: [UInt64: RateWindow] = [:]

  mutating func add(_ status: ServerStatus, at nanoseconds: Int64) {
    all.add(status.uploadedBytes, at: nanoseconds)
    var present: [UInt64: RateWindow] = [:]
    for connection in status.connections {
      // The peer may have received bytes before the first look. They count from its connection on.
      var window =
        connections[connection.id] ?? RateWindow(startingAt: nanoseconds - connection.duration.wholeNanoseconds)
      window.add(connection.uploadedBytes, at: nanoseconds)
      present[connection.id] = window
    }
    connections = present
  }
}

/// The rate of a counter over the last few seconds.
struct RateWindow {
  private static let nanoseconds: Int64 = 3_000_000_000
  private var samples: [(nanoseconds: Int64, bytes: UInt64)] = []

  init() {}
  /// The counter was 0 at this time.
  init(startingAt nanoseconds: Int64) { samples = [(nanoseconds, 0)] }

  mutating func add(_ bytes: UInt64, at nanoseconds: Int64) {
    samples.append((nanoseconds, bytes))
    // Keeps one sample before the window, where the window begins.
    while samples.count > 2, samples[1].nanoseconds <= nanoseconds - RateWindow.nanoseconds { samples.removeFirst() }
  }

  var bytesPerSecond: Double {
    guard let first = samples.first, let last = samples.last, last.nanoseconds > first.nanoseconds,
      last.bytes >= first.bytes
    else { return 0 }
    return Double(last.bytes - first.bytes) * 1e9 / Double(last.nanoseconds - first.nanoseconds)
  }
}
