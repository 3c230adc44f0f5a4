// The process's own streams: what they are, and how text is written to them whole.
import Glibc

public enum StandardStream: Int32, Sendable {
  case standardOutput = 1
  case standardError = 2
}

public enum Terminal {
  /// The corresponding C function is `isatty`.
  public static func isTerminal(_ stream: StandardStream) -> Bool { isatty(stream.rawValue) == 1 }

  /// Columns, nil where it is no terminal. The corresponding C function is `ioctl(TIOCGWINSZ)`.
  public static func width(_ stream: StandardStream) -> Int? {
    var size = winsize()
    guard ioctl(stream.rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  /// Writes all of a text, and gives up silently where nobody reads it any more. The corresponding C function is
  /// `write`.
  public static func write(_ text: String, to stream: StandardStream) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(stream.rawValue, $0.baseAddress, $0.count) }
      if count < 0 && errno == EAGAIN {
        var poll = pollfd(fd: stream.rawValue, events: Int16(POLLOUT), revents: 0)
        Glibc.poll(&poll, 1, -1)
        continue
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }
}
