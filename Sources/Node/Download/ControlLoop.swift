// The control thread: waits for messages and deadlines, and hands both to the download that it runs.
import Posix
import Transfer

/// Waits for one download. All state of the download is confined to the thread that calls `run`.
final class ControlLoop {
  private let mailbox: Mailbox<DownloadMessage>
  private var epoll: Epoll
  private var clock = LoopClock()
  /// As of the last look at the clock.
  private(set) var now: Instant

  /// - `mailbox`: messages for the download.
  init(_ mailbox: Mailbox<DownloadMessage>) throws(Errno) {
    self.mailbox = mailbox
    now = clock.now()
    epoll = try Epoll()
    try epoll.add(mailbox.number, token: 0, .readable)
  }

  /// Blocks until the download is over.
  func run(_ download: DownloadRun) {
    while !download.isOver {
      wait(until: download.deadline)
      for message in mailbox.takeAll() { download.handle(message, at: now) }
      download.fire(at: now)
      now = clock.now()
    }
  }

  /// Waits for a message, and until `deadline` at most.
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
