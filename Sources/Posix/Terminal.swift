// The process's own streams: what they are, and how text is written to them whole.
import Glibc

public enum StandardStream: Int32, CaseIterable, Sendable {
  case standardOutput = 1
  case standardError = 2
}

public enum Terminal {
  /// Takes the numbers of the standard streams that are closed, so that no file or socket gets them: what is printed would
  /// be written into it. Reading stdin or writing stdout fails all the same. Called before anything is opened. The
  /// corresponding C functions are `fcntl` and `open`.
  public static func holdClosedStreams() {
    for (number, mode) in [(Int32(0), O_WRONLY), (1, O_RDONLY), (2, O_RDWR)] where fcntl(number, F_GETFD) == -1 {
      // The lowest number that is free.
      _ = open("/dev/null", mode)
    }
  }

  /// The corresponding C function is `isatty`.
  public static func isTerminal(_ stream: StandardStream) -> Bool { isatty(stream.rawValue) == 1 }

  /// Columns and rows, nil where it is no terminal or knows no size. The corresponding C function is
  /// `ioctl(TIOCGWINSZ)`.
  public static func size(_ stream: StandardStream) -> (columns: Int, rows: Int)? {
    var size = winsize()
    guard ioctl(stream.rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return nil }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// Whether the process has the terminal: not a job that the shell put into the background, whose writes may stop it.
  /// True where there is no job control. The corresponding C function is `tcgetpgrp`.
  public static func isForeground(_ stream: StandardStream) -> Bool {
    let group = tcgetpgrp(stream.rawValue)
    return group < 0 || group == getpgrp()
  }

  /// Whether a text would be taken at once: not where its reader is slow, or the user has stopped it with Ctrl-S.
  public static func canWrite(_ stream: StandardStream) -> Bool {
    var poll = pollfd(fd: stream.rawValue, events: Int16(POLLOUT), revents: 0)
    return Glibc.poll(&poll, 1, 0) == 1 && poll.revents & Int16(POLLOUT) != 0
  }

  /// Whether a write of up to PIPE_BUF bytes would not wait: also where it would fail. The corresponding C function is
  /// `poll`.
  public static func isReady(_ stream: StandardStream) -> Bool {
    var poll = pollfd(fd: stream.rawValue, events: Int16(POLLOUT), revents: 0)
    return Glibc.poll(&poll, 1, 0) == 1 && poll.revents != 0
  }

  /// Waits until one of the streams is ready, or a descriptor is readable. The corresponding C function is `poll`.
  public static func wait(toWrite streams: [StandardStream], orReadable number: Int32) {
    var polls = streams.map { pollfd(fd: $0.rawValue, events: Int16(POLLOUT), revents: 0) }
    polls.append(pollfd(fd: number, events: Int16(POLLIN), revents: 0))
    _ = Glibc.poll(&polls, nfds_t(polls.count), -1)
  }

  /// Writes bytes with one call; how many were taken, 0 where none could be. The corresponding C function is `write`.
  public static func writeOnce(_ bytes: ArraySlice<UInt8>, to stream: StandardStream) throws(Errno) -> Int {
    let count = bytes.withUnsafeBytes { Glibc.write(stream.rawValue, $0.baseAddress, $0.count) }
    if count >= 0 { return count }
    guard errno == EAGAIN || errno == EINTR else { throw Errno(code: errno, call: "write") }
    return 0
  }

  /// Writes all of a text. Returns what went wrong; nil: nothing. The corresponding C function is `write`.
  @discardableResult
  public static func write(_ text: String, to stream: StandardStream) -> Errno? {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(stream.rawValue, $0.baseAddress, $0.count) }
      if count < 0 && errno == EAGAIN {
        var poll = pollfd(fd: stream.rawValue, events: Int16(POLLOUT), revents: 0)
        Glibc.poll(&poll, 1, -1)
        continue
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return Errno(code: count < 0 ? errno : EIO, call: "write") }
      bytes = bytes.dropFirst(count)
    }
    return nil
  }
}
