// Reads a file to its end, even if it is not a regular file, such as a pipe.
import Glibc

extension File {
  /// Returns a second descriptor of standard input. Closing it does not close the process's own. The corresponding C
  /// function is `fcntl` with F_DUPFD_CLOEXEC.
  public static func standardInput() throws(Errno) -> File {
    try duplicate(of: STDIN_FILENO, path: "standard input")
  }

  /// Returns all bytes from the file position on; nil if there are more than `bytesMax`. Waits for the end of a pipe.
  /// The corresponding C function is `read`.
  public func readToEnd(bytesMax: Int) throws(Errno) -> [UInt8]? {
    let piece = 1 << 16
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: piece)
    while true {
      let count = try retrying("read", path) {
        buffer.withUnsafeMutableBytes { Glibc.read(descriptor.number, $0.baseAddress!, piece) }
      }
      if count == 0 { return bytes }
      guard count <= bytesMax - bytes.count else { return nil }
      bytes += buffer[..<count]
    }
  }
}
