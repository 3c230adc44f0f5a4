// The standard streams of the process: their kind and size, and complete writes to them.
import Glibc

public enum StandardStream: Int32, CaseIterable, Sendable {
  case standardOutput = 1
  case standardError = 2
}

public enum Terminal {
  /// Occupies the numbers of closed standard streams, so that no file or socket gets them: printed text would be
  /// written into it. Reading stdin and writing stdout still fail. Call it before anything is opened. The corresponding
  /// C functions are `fcntl` and `open`.
  public static func holdClosedStreams() {
    for (number, mode) in [(Int32(0), O_WRONLY), (1, O_RDONLY), (2, O_RDWR)] where fcntl(number, F_GETFD) == -1 {
      // `open` returns the lowest free number.
      _ = open("/dev/null", mode)
    }
  }

  /// The corresponding C function is `isatty`.
  public static func isTerminal(_ stream: StandardStream) -> Bool { isatty(stream.rawValue) == 1 }

  /// Returns columns and rows; nil if the stream is not a terminal or does not know its size. The corresponding C
  /// function is `ioctl(TIOCGWINSZ)`.
  public static func size(_ stream: StandardStream) -> (columns: Int, rows: Int)? {
    var size = winsize()
    guard ioctl(stream.rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return nil }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// Returns whether the process is in the foreground of the terminal. The writes of a background job may stop it. True
  /// if there is no job control. The corresponding C function is `tcgetpgrp`.
  public static func isForeground(_ stream: StandardStream) -> Bool {
    let group = tcgetpgrp(stream.rawValue)
    return group < 0 || group == getpgrp()
  }

  /// Returns whether the stream takes text at once. It does not if its reader is slow, or the user stopped it with
  /// Ctrl-S.
  public static func canWrite(_ stream: StandardStream) -> Bool {
    var poll = pollfd(fd: stream.rawValue, events: Int16(POLLOUT), revents: 0)
    return Glibc.poll(&poll, 1, 0) == 1 && poll.revents & Int16(POLLOUT) != 0
  }

  /// Returns whether a write of up to PIPE_BUF bytes would not wait, which includes a write that would fail. The
  /// corresponding C function is `poll`.
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

  /// Writes bytes with one call. Returns how many were taken; 0 if it would wait or was interrupted. The corresponding
  /// C function is `write`.
  public static func writeOnce(_ bytes: ArraySlice<UInt8>, to stream: StandardStream) throws(Errno) -> Int {
    let count = bytes.withUnsafeBytes { Glibc.write(stream.rawValue, $0.baseAddress, $0.count) }
    if count >= 0 { return count }
    guard errno == EAGAIN || errno == EINTR else { throw Errno(code: errno, call: "write") }
    return 0
  }

  /// Writes all of a text. Returns the error; nil on success. The corresponding C function is `write`.
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
