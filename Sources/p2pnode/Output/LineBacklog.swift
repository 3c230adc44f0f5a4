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
    /// Also of the lines that are being written.
    var bytes = 0
    var dropped = 0
    var isWriting = false
    /// Of the lines that are being written.
    var writingBytes = 0

    /// Of the first line that is being written.
    var writingNumber: UInt64 = 0

    var first: (text: String, number: UInt64)? { head < lines.count ? lines[head] : nil }
    /// Of the first line that is not written.
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
  /// False: lines about files are taken whatever waits, since the end must not depend on a reader.
  var waits = true
  /// Pieces of lines that readers took.
  private(set) var progress: UInt64 = 0

  /// Nothing waits and nothing is being written.
  var isEmpty: Bool { streams.values.allSatisfy(\.isIdle) }

  /// Nothing waits on a stream and nothing is being written on it: the thread that writes may sleep, whether the stream
  /// is read or not.
  func isIdle(_ stream: StandardStream) -> Bool { streams[stream]!.isIdle }

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
      (streams[stream]!.isWriting, streams[stream]!.writingNumber) = (true, nextNumber)
      return Line(text: .dropped(streams[stream]!.dropped), number: nextNumber)
    }
    guard let (text, number) = streams[stream]!.first else { return nil }
    streams[stream]!.removeFirst()
    (streams[stream]!.isWriting, streams[stream]!.writingNumber) = (true, number)
    streams[stream]!.writingBytes = text.utf8.count + LineBacklog.overheadBytes
    return Line(text: .said(text), number: number)
  }

  /// The lines that follow the one that is being written, to be written with it: as many as have `byteCount` bytes, or a
  /// few less. None where a line of another stream comes first.
  mutating func following(on stream: StandardStream, byteCount: Int) -> [Line.Text] {
    precondition(streams[stream]!.isWriting, "they follow a line")
    let end = streams.reduce(UInt64.max) { $1.key == stream ? $0 : min($0, $1.value.firstNumber) }
    var texts: [Line.Text] = []
    var rest = byteCount
    // Where lines were dropped, `next` says so first.
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

  /// A reader took a part of the lines that are being written.
  mutating func wroteSome() { progress += 1 }

  /// The line that `next` gave is written, and those that `following` gave, or their reader is gone.
  mutating func written(on stream: StandardStream) {
    streams[stream]!.bytes -= streams[stream]!.writingBytes
    (streams[stream]!.isWriting, streams[stream]!.writingBytes) = (false, 0)
    progress += 1
  }
}
