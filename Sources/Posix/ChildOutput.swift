// What a child process writes, read by this process.
import Glibc

/// A pipe that a child process writes to. One thread reads it.
public final class ChildOutput: Sendable {
  /// What a pipe holds: so much may still be there when the child has ended.
  private static let pipeBytes = 1 << 16
  private static let pieceBytes = 1 << 12

  private let readEnd: FileDescriptor
  /// Nil: it is closed.
  private let writeEnd: Monitor<Int32?>
  private let childEnded: WakeUp

  /// The corresponding C function is `pipe`.
  public init() throws(Errno) {
    childEnded = try WakeUp()
    var ends: [Int32] = [-1, -1]
    _ = try retrying("pipe") { pipe(&ends) }
    readEnd = FileDescriptor(owning: ends[0])
    writeEnd = Monitor(ends[1])
    for end in ends { _ = try retrying("fcntl") { fcntl(end, F_SETFD, FD_CLOEXEC) } }
    _ = try retrying("fcntl") { fcntl(ends[0], F_SETFL, O_NONBLOCK) }
  }

  deinit { handOver { _ in } }

  /// Lends the end that the child writes to, and closes it in this process afterwards.
  func handOver<Result>(_ body: (Int32?) -> Result) -> Result {
    writeEnd.change { end in
      defer {
        if let number = end.take() { close(number) }
      }
      return body(end)
    }
  }

  /// Waits for the end of the child on a thread of its own, and gives `take` each piece that it writes until then. What a
  /// process writes that the child leaves behind is lost. The corresponding C functions are `poll` and `read`.
  public func read(of child: ChildProcess, _ take: (ArraySlice<UInt8>) -> Void) -> ChildEnd {
    let end = Monitor<ChildEnd?>(nil)
    let thread = Thread.start(name: "p2p-child") { [self] in
      let how = child.wait()
      end.change { $0 = how }
      childEnded.signal()
    }
    var buffer = [UInt8](repeating: 0, count: ChildOutput.pieceBytes)
    var watched = [readEnd.number, childEnded.number].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    var hasEnded = false
    while !hasEnded {
      guard poll(&watched, 2, -1) >= 0 else { continue }  // a signal came
      hasEnded = watched[1].revents != 0
      for _ in 0..<ChildOutput.pipeBytes / ChildOutput.pieceBytes {
        let count = buffer.withUnsafeMutableBytes { Glibc.read(readEnd.number, $0.baseAddress, $0.count) }
        if count > 0 { take(buffer[..<count]) }
        if count == 0 { watched[0].fd = -1 }  // no process writes any more
        if count < buffer.count { break }
      }
    }
    thread.join()
    return end.wait { $0 }
  }
}
