// Looks at the fetches of a running `send` twice a second, on its own thread. It shows them on a terminal, or otherwise
// prints a line now and then.
import Content
import PeerNode
import Posix
import Storage
import Synchronization

final class SendTicker: Sendable {
  private static let intervalMilliseconds: Int32 = 500
  /// The time between two lines about one fetch. The next constant is the same for JSON events.
  private static let lineNanoseconds: Int64 = 10_000_000_000
  private static let jsonNanoseconds: Int64 = 1_000_000_000

  private struct State {
    var hashing: HashReport?
    var isStopping = false
    var thread: Thread?
    var hasEnded = false
  }
  private let state = Mutex(State())
  private let wakeUp: WakeUp
  private let json: Bool
  let hasScreen: Bool

  /// Nil if no descriptor is left.
  init?(json: Bool, hasScreen: Bool) {
    guard let wakeUp = try? WakeUp() else { return nil }
    self.wakeUp = wakeUp
    (self.json, self.hasScreen) = (json, hasScreen)
  }

  /// - `report`: the progress. Nil if hashing has ended.
  func hashing(_ report: HashReport?) { state.withLock { $0.hashing = report } }

  /// Starts the thread, which works until `end`.
  /// - `offer`: returns the offer that has a content.
  func start(
    _ node: Node, _ watch: FetchWatch, name: String, offer: @escaping @Sendable (FileID) -> SentOffer?
  ) {
    guard let epoll = try? Epoll(), (try? epoll.add(wakeUp.number, token: 0, .readable)) != nil else { return }
    // The thread gets it before it starts, and no other thread uses it after that.
    nonisolated(unsafe) var handed = Optional(epoll)
    let thread = Thread.start(name: "p2p-screen") { [self] in
      guard var epoll = handed.take() else { return }
      var looked = Looked(node: node, watch: watch, name: name, offer: offer)
      while !state.withLock({ $0.hasEnded }) {
        watch.settle()
        tick(&looked)
        try? epoll.wait(milliseconds: SendTicker.intervalMilliseconds) { _, _ in }
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

  /// The state of the thread from one look to the next.
  private struct Looked {
    let node: Node
    let watch: FetchWatch
    let name: String
    let offer: @Sendable (FileID) -> SentOffer?
    var all = RateWindow()
    var rates: [FetchKey: RateWindow] = [:]
    /// The time of each fetch's next line.
    var due: [FetchKey: Int64] = [:]
  }

  private struct FetchKey: Hashable {
    let peer: String
    let content: FileID
  }

  private func tick(_ looked: inout Looked) {
    let now = Clock.monotonicNanoseconds
    looked.all.add(looked.node.uploadedBytes, at: now)
    let fetches = looked.watch.running
    var (rates, due): ([FetchKey: RateWindow], [FetchKey: Int64]) = ([:], [:])
    var rows: [SendScreen.Row] = []
    for fetch in fetches {
      guard let offer = looked.offer(fetch.content) else { continue }
      let key = FetchKey(peer: fetch.peer.hex, content: fetch.content)
      var rate = looked.rates[key] ?? RateWindow(startingAt: now - fetch.duration.wholeNanoseconds)
      rate.add(fetch.sentByteCount, at: now)
      rates[key] = rate
      let row = SendScreen.Row(fetch: fetch, path: offer.path, bytesPerSecond: rate.bytesPerSecond)
      rows.append(row)
      let interval = json ? SendTicker.jsonNanoseconds : SendTicker.lineNanoseconds
      due[key] = looked.due[key] ?? now + interval
      if now >= due[key]! {
        due[key] = now + interval
        tell(row, offer)
      }
    }
    (looked.rates, looked.due) = (rates, due)
    guard hasScreen else { return }
    let (hashing, isStopping) = state.withLock { ($0.hashing, $0.isStopping) }
    let screen = SendScreen(
      name: looked.name, rows: rows, bytesPerSecond: looked.all.bytesPerSecond,
      uploadedBytes: looked.node.uploadedBytes,
      hashing: hashing, isStopping: isStopping)
    Console.show { screen.render($0, $1) }
  }

  private func tell(_ row: SendScreen.Row, _ offer: SentOffer) {
    if json {
      var line = JSONLine(event: "sending", row.fetch, offer)
      line.set("bytesPerSecond", row.bytesPerSecond)
      Console.output(line.finished, .stranger)
    } else if !hasScreen {
      let left = row.secondsLeft.map { ", \(Format.time(seconds: $0)) left" } ?? ""
      Console.log(
        .info,
        "[\(row.fetch.peer.short)] \(Console.escaped(row.path)): \(Format.share(row.fetch.share)) at "
          + "\(Format.rate(row.bytesPerSecond))\(left)", .stranger)
    }
  }
}
