// Lines on their way to readers that may be slow or read nothing: which wait, which are dropped, and who waits for room.
import Posix

/// What waits for each of the two streams. A value: the thread that writes is elsewhere.
struct LineBacklog: Sendable {
  /// What a line is about, and so what becomes of it while too much waits.
  enum Kind: Sendable {
    /// Strangers caused it, as often as they like: it is dropped, and the next line says how many were.
    case stranger
    /// It is about a file. It is never dropped: the thread that prints it waits, and such a thread serves nobody.
    case file
    /// Anything else. It is never dropped, and its thread never waits: few are caused, by the user, or one by each file.
    case own
  }

  /// Bytes of a stream beyond which lines of strangers are dropped: a minute of a busy server.
  static let strangerBytesMax = 256 << 10
  /// Bytes of a stream beyond which a thread that prints a line about a file waits: some 30,000 files.
  static let fileBytesMax = 8 << 20
  /// What a line takes in memory beside its text.
  private static let overheadBytes = 64

  enum Outcome: Hashable, Sendable { case taken, dropped, full }

  /// A line, and its place in the order of all lines of both streams.
  struct Line: Hashable, Sendable {
    enum Text: Hashable, Sendable {
      case said(String)
      /// So many lines of strangers were dropped here.
      case dropped(Int)
    }
    let text: Text
    let number: UInt64
  }

  private struct Waiting: Sendable {
    var lines: [(text: String, number: UInt64)] = []
    /// Lines before this one are gone.
    var head = 0
    /// Also of the line that is being written.
    var bytes = 0
    var dropped = 0
    var isWriting = false
    /// Of the line that is being written.
    var writingBytes = 0
  }

  private var streams: [StandardStream: Waiting] = [.standardOutput: Waiting(), .standardError: Waiting()]
  private var nextNumber: UInt64 = 0
  /// False: lines about files are taken whatever waits, since the end must not depend on a reader.
  var waits = true
  /// Pieces of lines that readers took.
  private(set) var progress: UInt64 = 0

  /// Nothing waits and nothing is being written.
  var isEmpty: Bool { streams.values.allSatisfy { $0.bytes == 0 && $0.dropped == 0 && !$0.isWriting } }

  /// Takes a line, or says why not; `full`: to be put again after a change.
  mutating func put(_ text: String, on stream: StandardStream, _ kind: Kind) -> Outcome {
    let bytes = streams[stream]!.bytes
    if kind == .stranger, bytes > LineBacklog.strangerBytesMax {
      streams[stream]!.dropped += 1
      return .dropped
    }
    if kind == .file, waits, bytes > LineBacklog.fileBytesMax { return .full }
    streams[stream]!.lines.append((text, nextNumber))
    streams[stream]!.bytes += text.utf8.count + LineBacklog.overheadBytes
    nextNumber += 1
    return .taken
  }

  /// The next line of a stream, to be written; then `written`. Nil if none waits.
  mutating func next(on stream: StandardStream) -> Line? {
    precondition(!streams[stream]!.isWriting, "one line of a stream is written at a time")
    if streams[stream]!.dropped > 0, streams[stream]!.bytes <= LineBacklog.strangerBytesMax / 2 {
      defer { streams[stream]!.dropped = 0 }
      streams[stream]!.isWriting = true
      return Line(text: .dropped(streams[stream]!.dropped), number: nextNumber)
    }
    let head = streams[stream]!.head
    guard head < streams[stream]!.lines.count else { return nil }
    let (text, number) = streams[stream]!.lines[head]
    streams[stream]!.head += 1
    if streams[stream]!.head >= 1_024 || streams[stream]!.head == streams[stream]!.lines.count {
      streams[stream]!.lines.removeFirst(streams[stream]!.head)
      streams[stream]!.head = 0
    }
    (streams[stream]!.isWriting, streams[stream]!.writingBytes) = (true, text.utf8.count + LineBacklog.overheadBytes)
    return Line(text: .said(text), number: number)
  }

  /// A reader took a part of the line that is being written.
  mutating func wroteSome() { progress += 1 }

  /// The line that `next` gave is written, or its reader is gone.
  mutating func written(on stream: StandardStream) {
    streams[stream]!.bytes -= streams[stream]!.writingBytes
    (streams[stream]!.isWriting, streams[stream]!.writingBytes) = (false, 0)
    progress += 1
  }
}
