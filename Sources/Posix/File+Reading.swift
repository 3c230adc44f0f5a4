// Reading a file from its start to its end, also one that is no regular file, such as a pipe.
import Glibc

extension File {
  /// A second descriptor of standard input, so that closing it leaves the process's own. The corresponding C function is
  /// `fcntl` with F_DUPFD_CLOEXEC.
  public static func standardInput() throws(Errno) -> File {
    try duplicate(of: STDIN_FILENO, path: "standard input")
  }

  /// All bytes from the file position on; nil if there are more than `bytesMax`. Waits for the end of a pipe. The
  /// corresponding C function is `read`.
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
