// The control thread: waits for messages and deadlines, and hands both to the downloads of a node.
import Posix
import Transfer

/// A message to the control thread.
enum ControlMessage: Sendable {
  /// Begin a download.
  case add(
    DownloadID, make: @Sendable (NodeConnections, Instant) -> DownloadRun,
    onEnd: @Sendable (Result<DownloadResult, DownloadError>) -> Void)
  case connection(ConnectionToken, ConnectionReport)
  /// A message for a download. It is dropped if the download has ended.
  case message(DownloadID, DownloadMessage)
  /// Change how many bytes a second all downloads together fetch; nil: no limit.
  case downloadLimit(UInt64?)
  /// Cancel all downloads, and end when none is left. `DownloadThreads` sends no `add` after this.
  case stop
}

/// Runs any number of downloads. All their state is confined to the thread that calls `run`. A turn touches only
/// downloads with a message or a passed deadline.
final class ControlLoop {
  private final class Entry {
    let run: DownloadRun
    let onEnd: (Result<DownloadResult, DownloadError>) -> Void
    /// Whether it is in `due`.
    var isDue = false

    init(_ run: DownloadRun, onEnd: @escaping (Result<DownloadResult, DownloadError>) -> Void) {
      self.run = run
      self.onEnd = onEnd
    }
  }

  private let mailbox: Mailbox<ControlMessage>
  private let connections: NodeConnections
  private var epoll: Epoll
  private var clock = LoopClock()
  /// The time when the clock was last read.
  private var now: Instant
  private var downloads: [DownloadID: Entry] = [:]
  private var deadlines = DeadlineQueue<DownloadID>()
  /// The downloads to fire in this turn.
  private var due: [DownloadID] = []
  private var isStopping = false

  init(_ context: NodeContext) throws(Errno) {
    mailbox = context.control
    connections = NodeConnections(context)
    now = clock.now()
    epoll = try Epoll(capacity: 1)
    try epoll.add(mailbox.number, token: 0, .readable)
  }

  /// Blocks until `stop` has come and every download has ended.
  func run() { while !isStopping || !downloads.isEmpty { turn() } }

  private func turn() {
    wait(until: [deadlines.next, connections.deadline].compactMap { $0 }.min())
    connections.turn(at: now)
    for message in mailbox.takeAll() { handle(message) }
    while let id = deadlines.popDue(at: now) { touch(id) }
    let ids = due
    due.removeAll(keepingCapacity: true)
    for id in ids { fire(id) }
    now = clock.now()
  }

  private func handle(_ message: ControlMessage) {
    switch message {
    case .add(let id, let make, let onEnd):
      let run = make(connections, now)
      downloads[id] = Entry(run, onEnd: onEnd)
      run.begin(at: now)
      if run.link.isCancelled { run.handle(.cancelled, at: now) }
      touch(id)
    case .message(let id, let message):
      guard let entry = downloads[id] else { return }
      entry.run.handle(message, at: now)
      touch(id)
    case .connection(let token, let report):
      connections.handle(report, of: token) { downloads[$0]?.run.isFetching ?? false }
    case .downloadLimit(let bytesPerSecond):
      connections.limiter.change(to: bytesPerSecond)
      for (id, entry) in downloads {
        entry.run.limitChanged(at: now)
        touch(id)
      }
    case .stop:
      isStopping = true
      for (id, entry) in downloads {
        entry.run.handle(.cancelled, at: now)
        touch(id)
      }
    }
  }

  private func touch(_ id: DownloadID) {
    guard let entry = downloads[id], !entry.isDue else { return }
    entry.isDue = true
    due.append(id)
  }

  private func fire(_ id: DownloadID) {
    guard let entry = downloads[id] else { return }
    entry.isDue = false
    if !entry.run.isOver { entry.run.fire(at: now) }
    if entry.run.isOver { return end(entry, id) }
    if let deadline = entry.run.deadline { deadlines.set(id, at: deadline) } else { deadlines.cancel(id) }
  }

  private func end(_ entry: Entry, _ id: DownloadID) {
    downloads[id] = nil
    deadlines.cancel(id)
    entry.run.leave()
    connections.releaseAll(of: id)
    connections.limiter.end(id)
    entry.onEnd(entry.run.result)
  }

  /// Waits for a message, but not longer than until `deadline`.
  private func wait(until deadline: Instant?) {
    let milliseconds = deadline.map { due in
      Int32(clamping: (max(0, (due - now).wholeNanoseconds) + 999_999) / 1_000_000)
    }
    do { try epoll.wait(milliseconds: milliseconds ?? -1) { _, _ in } } catch {
      preconditionFailure("epoll: \(error)")  // EBADF or EINVAL: our own bug
    }
    now = clock.now(afterWaiting: milliseconds ?? -1)
  }
}
