// The lines that wait for readers, which may be slow or read nothing. Decides which lines are dropped and which threads
// wait.
import Posix

/// The waiting lines of both streams. A value; the thread that writes them is `LineWriter`.
struct LineBacklog: Sendable {
  /// What a line is about. It decides what happens to the line while many others wait.
  enum Kind: Sendable {
    /// A line that strangers can cause at any rate. It may be dropped, and the next line says how many were.
    case stranger
    /// A line about a file. It is never dropped: its thread waits for room. Such a thread serves no peer.
    case file
    /// Any other line. It is never dropped and its thread never waits. There are few: the user causes them, or each
    /// file one.
    case own
  }

  /// With more bytes waiting on a stream, lines about strangers are dropped. This is a minute of a busy server.
  static let strangerBytesMax = 256 << 10
  /// With more bytes waiting on a stream, a thread that prints a line about a file waits. This is some 30,000 files.
  static let fileBytesMax = 8 << 20
  /// The memory of a line besides its text.
  private static let overheadBytes = 64

  enum Outcome: Hashable, Sendable { case taken, dropped, full }

  /// A line and its number in the order of all lines of both streams.
  struct Line: Hashable, Sendable {
    enum Text: Hashable, Sendable {
      case said(String)
      /// This many lines about strangers were dropped here.
      case dropped(Int)
    }
    let text: Text
    let number: UInt64
  }

  private struct Waiting: Sendable {
    var lines: [(text: String, number: UInt64)] = []
    /// The index of the first waiting line. Earlier ones are gone.
    var head = 0
    /// The bytes of all lines, including those being written.
    var bytes = 0
    var dropped = 0
    var isWriting = false
    /// The bytes of the lines being written.
    var writingBytes = 0

    /// The number of the first line being written.
    var writingNumber: UInt64 = 0

    var first: (text: String, number: UInt64)? { head < lines.count ? lines[head] : nil }
    /// The number of the first line that is not written yet.
    var firstNumber: UInt64 { isWriting ? writingNumber : first?.number ?? .max }

    mutating func removeFirst() {
      head += 1
      guard head >= 1_024 || head == lines.count else { return }
      lines.removeFirst(head)
      head = 0
    }

    var isIdle: Bool { bytes == 0 && dropped == 0 && !isWriting }
  }

  private var streams: [StandardStream: Waiting] = [.standardOutput: Waiting(), .standardError: Waiting()]
  private var nextNumber: UInt64 = 0
  /// Whether lines about files wait for room. False at the end of the process, which must not depend on a reader.
  var waits = true
  /// The number of pieces of lines that readers took.
  private(set) var progress: UInt64 = 0

  /// Whether nothing waits and nothing is being written.
  var isEmpty: Bool { streams.values.allSatisfy(\.isIdle) }

  /// Whether nothing waits for a stream and nothing is being written to it. Then the writing thread may be asleep.
  func isIdle(_ stream: StandardStream) -> Bool { streams[stream]!.isIdle }

  /// Takes a line, or returns why not. After `full`, the caller tries again when something has changed.
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

  /// Returns the next line of a stream, to be written before `written` is called. Nil if none waits.
  mutating func next(on stream: StandardStream) -> Line? {
    precondition(!streams[stream]!.isWriting, "one line of a stream is written at a time")
    if streams[stream]!.dropped > 0, streams[stream]!.bytes <= LineBacklog.strangerBytesMax / 2 {
      defer { streams[stream]!.dropped = 0 }
      (streams[stream]!.isWriting, streams[stream]!.writingNumber) = (true, nextNumber)
      return Line(text: .dropped(streams[stream]!.dropped), number: nextNumber)
    }
    guard let (text, number) = streams[stream]!.first else { return nil }
    streams[stream]!.removeFirst()
    (streams[stream]!.isWriting, streams[stream]!.writingNumber) = (true, number)
    streams[stream]!.writingBytes = text.utf8.count + LineBacklog.overheadBytes
    return Line(text: .said(text), number: number)
  }

  /// Returns the lines that follow the one being written, to write together with it: at most `byteCount` bytes. Empty
  /// if a line of the other stream comes first.
  mutating func following(on stream: StandardStream, byteCount: Int) -> [Line.Text] {
    precondition(streams[stream]!.isWriting, "they follow a line")
    let end = streams.reduce(UInt64.max) { $1.key == stream ? $0 : min($0, $1.value.firstNumber) }
    var texts: [Line.Text] = []
    var rest = byteCount
    // If lines were dropped, `next` must report that first.
    while streams[stream]!.dropped == 0, let (text, number) = streams[stream]!.first, number < end,
      text.utf8.count < rest
    {
      rest -= text.utf8.count + 1
      texts.append(.said(text))
      streams[stream]!.removeFirst()
      streams[stream]!.writingBytes += text.utf8.count + LineBacklog.overheadBytes
    }
    return texts
  }

  /// Records that a reader took a part of the lines being written.
  mutating func wroteSome() { progress += 1 }

  /// Records that the lines from `next` and `following` are written, or their reader is gone.
  mutating func written(on stream: StandardStream) {
    streams[stream]!.bytes -= streams[stream]!.writingBytes
    (streams[stream]!.isWriting, streams[stream]!.writingBytes) = (false, 0)
    progress += 1
  }
}
