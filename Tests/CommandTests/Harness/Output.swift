// What a child has written to one of its streams so far: all bytes, and the complete lines.
import Foundation

struct Output: CustomStringConvertible {
  /// The read end of the pipe. Nil after the end of the stream.
  private(set) var descriptor: Int32?
  private(set) var bytes: [UInt8] = []
  /// Complete lines without their newlines. Bytes that are not UTF-8 are replaced.
  private(set) var lines: [String] = []
  private var lineStart = 0

  init(descriptor: Int32) { self.descriptor = descriptor }

  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// For the messages of failed expectations. They must not move a cursor either.
  var description: String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      String(line.debugDescription.dropFirst().dropLast())
    }.joined(separator: "\n")
  }

  /// Reads what is in the pipe. Called when the pipe is readable.
  mutating func read() {
    guard let descriptor else { return }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = Glibc.read(descriptor, &buffer, buffer.count)
    if count < 0 && (errno == EINTR || errno == EAGAIN) { return }
    guard count > 0 else { return close() }
    bytes.append(contentsOf: buffer[..<count])
    while let end = newline(from: lineStart) {
      lines.append(String(decoding: bytes[lineStart..<end], as: UTF8.self))
      lineStart = end + 1
    }
  }

  /// Returns the next newline from a position on. Uses `memchr`: in a debug build under ThreadSanitizer, a loop over
  /// the bytes of a file takes most of a minute.
  private func newline(from start: Int) -> Int? {
    bytes.withUnsafeBytes { all in
      guard let base = all.baseAddress, let found = memchr(base + start, Int32(UInt8(ascii: "\n")), all.count - start)
      else { return nil }
      return UnsafeRawPointer(found) - base
    }
  }

  mutating func close() {
    if let descriptor { Glibc.close(descriptor) }
    descriptor = nil
  }
}
