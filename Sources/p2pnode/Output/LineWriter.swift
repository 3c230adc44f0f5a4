// The thread that writes lines, so that a stalled reader blocks no other thread.
import Posix

/// Writes the lines of both streams in their order while both are read. A stream that is not read does not block the
/// other.
final class LineWriter: Sendable {
  /// How long `finish` waits for a reader that takes nothing.
  private static let graceNanoseconds: Int64 = 10_000_000_000
  /// The bytes that a ready pipe takes without blocking (PIPE_BUF).
  private static let pieceBytes = 4_096

  private let backlog = Monitor(LineBacklog())
  private let wakeUp: WakeUp
  /// Returns the bytes of a line. Nil: `write` writes the whole line.
  private let bytes: @Sendable (LineBacklog.Line.Text, StandardStream) -> [UInt8]?
  private let write: @Sendable (LineBacklog.Line.Text, StandardStream) -> Void
  private let failed: @Sendable (Errno, StandardStream, Bool) -> Void

  /// Starts the thread, which lives as long as the process.
  /// - `bytes`: returns the bytes of a line. Nil if the stream is a terminal, on which `write` must write whole lines.
  /// - `failed`: called once for each stream, on the writing thread, when it takes no more lines. The Bool: whether the
  ///   first line failed.
  init(
    bytes: @escaping @Sendable (LineBacklog.Line.Text, StandardStream) -> [UInt8]?,
    write: @escaping @Sendable (LineBacklog.Line.Text, StandardStream) -> Void,
    failed: @escaping @Sendable (Errno, StandardStream, Bool) -> Void
  ) throws(Errno) {
    wakeUp = try WakeUp()
    self.bytes = bytes
    self.write = write
    self.failed = failed
    Thread.start(name: "p2p-lines") { self.run() }.detach()
  }

  /// Takes a line. A line about a file blocks until there is room.
  func put(_ text: String, on stream: StandardStream, _ kind: LineBacklog.Kind) {
    let wasIdle = backlog.wait { backlog in
      let isIdle = backlog.isIdle(stream)
      return backlog.put(text, on: stream, kind) == .full ? nil : isIdle
    }
    // Otherwise the thread returns to the stream when it has written the earlier lines.
    if wasIdle { wakeUp.signal() }
  }

  /// Makes threads no longer wait for room.
  func stopWaiting() { backlog.change { $0.waits = false } }

  /// Returns when all lines are written, or no reader has taken any for a while.
  func finish() {
    stopWaiting()
    while true {
      let progress = backlog.change { $0.progress }
      let end = Clock.monotonicNanoseconds + LineWriter.graceNanoseconds
      let isEmpty = backlog.wait(untilNanoseconds: end) { backlog in
        backlog.isEmpty ? true : backlog.progress != progress ? false : nil
      }
      if isEmpty != false { return }
    }
  }

  // MARK: The thread

  /// The lines that are being written in one step.
  private struct Begun {
    let line: LineBacklog.Line
    var rest: ArraySlice<UInt8>?
  }

  private func run() {
    var begun: [StandardStream: Begun] = [:]
    var written: [StandardStream: Written] = [:]
    while true {
      wakeUp.clear()
      for stream in StandardStream.allCases where begun[stream] == nil {
        guard let line = backlog.change({ $0.next(on: stream) }) else { continue }
        begun[stream] = Begun(line: line, rest: bytes(line.text, stream).map { $0[...] })
      }
      let order = begun.keys.sorted { begun[$0]!.line.number < begun[$1]!.line.number }
      guard let stream = order.first(where: Terminal.isReady) else {
        Terminal.wait(toWrite: order, orReadable: wakeUp.number)
        continue
      }
      addFollowing(to: &begun[stream]!, on: stream)
      if goOn(&begun[stream]!, &written[stream, default: .nothing], on: stream) {
        begun[stream] = nil
        backlog.change { $0.written(on: stream) }
      } else {
        backlog.change { $0.wroteSome() }
      }
    }
  }

  /// Adds following lines, so that one system call writes many.
  private func addFollowing(to begun: inout Begun, on stream: StandardStream) {
    guard let count = begun.rest?.count, count < LineWriter.pieceBytes else { return }
    let texts = backlog.change { $0.following(on: stream, byteCount: LineWriter.pieceBytes - count) }
    for text in texts { begun.rest! += bytes(text, stream) ?? [] }
  }

  /// What a stream has taken so far.
  private enum Written { case nothing, some, failed }

  /// Writes a piece of the lines. Returns true when they are all written.
  private func goOn(_ begun: inout Begun, _ written: inout Written, on stream: StandardStream) -> Bool {
    guard let rest = begun.rest else {
      write(begun.line.text, stream)
      return true
    }
    do throws(Errno) {
      let count = try Terminal.writeOnce(rest.prefix(LineWriter.pieceBytes), to: stream)
      begun.rest = rest.dropFirst(count)
      if written == .nothing, count > 0 { written = .some }
    } catch {
      // The line is dropped.
      if written != .failed { failed(error, stream, written == .nothing) }
      written = .failed
      return true
    }
    return begun.rest!.isEmpty
  }
}
