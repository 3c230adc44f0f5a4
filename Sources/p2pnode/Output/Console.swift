// Prints results on stdout and everything else on stderr. Lines of different threads never mix. On a terminal, the
// redrawn region stays at the bottom, below the lines.
import Content
import Posix
import Synchronization

enum Console {
  /// Whether stderr is a terminal that can redraw lines.
  static let isTerminal = Terminal.isTerminal(.standardError) && (Environment.variable("TERM") ?? "dumb") != "dumb"
  /// Whether stdout is a terminal too. It is assumed to be the same terminal.
  private static let sharesTerminal = Terminal.isTerminal(.standardOutput)
  private static let style = ScreenStyle.current
  /// The shortest time between two redraws. People cannot read faster changes.
  private static let drawInterval = Duration.milliseconds(50)

  private struct State {
    var region = ScreenRegion()
    /// The region's lines. They stay while the region is off the screen for a moment.
    var lines: [ScreenLine] = []
    var drawnNanoseconds: Int64 = 0
    var outputFailure: Errno?
  }
  private static let state = Mutex(State())

  /// Watches for SIGCONT, because the shell writes below the region while the job is stopped, and the region must then
  /// be drawn anew. Call it before any other thread starts, so that all threads block the signal.
  static func watchStops() { if isTerminal { _ = continued } }
  /// Nil if the signal descriptor could not be made.
  private static let continued = try? ContinueSignal()

  // MARK: Lines

  /// Nil: each thread writes its own lines and waits for the reader.
  private static let writer = Mutex<LineWriter?>(nil)

  /// Starts a thread that writes all lines from now on, so that no other thread waits for a reader.
  /// - `dropped`: returns the line that says how many lines about strangers a stream lost.
  /// - `outputFailed`: called once on that thread when stdout takes no more lines. The Bool: whether the first line
  ///   failed.
  static func writeApart(
    dropped: @escaping @Sendable (Int, StandardStream) -> String,
    outputFailed: @escaping @Sendable (Errno, Bool) -> Void
  ) {
    let words: @Sendable (LineBacklog.Line.Text, StandardStream) -> String = { text, stream in
      switch text {
      case .said(let line): line
      case .dropped(let count): dropped(count, stream)
      }
    }
    let made = try? LineWriter(
      bytes: { text, stream in
        switch stream {
        case .standardOutput: sharesTerminal ? nil : Array("\(words(text, stream))\n".utf8)
        case .standardError: isTerminal ? nil : Array("\(SuggestedName.harmlessLine(words(text, stream)))\n".utf8)
        }
      },
      write: { text, stream in
        switch stream {
        case .standardOutput: outputNow(words(text, stream))
        case .standardError: errorNow(words(text, stream))
        }
      },
      failed: { error, stream, isFirst in if stream == .standardOutput { outputFailed(error, isFirst) } })
    writer.withLock { $0 = made }
  }

  /// Makes threads no longer wait for a reader.
  static func stopWaiting() { writer.withLock { $0 }?.stopWaiting() }

  /// Returns when all lines are written, or their readers take none. Call it before the process ends.
  static func finish() { writer.withLock { $0 }?.finish() }

  /// Prints a line on stdout.
  static func output(_ line: String, _ kind: LineBacklog.Kind = .own) {
    guard let writer = writer.withLock({ $0 }) else { return outputNow(line) }
    writer.put(line, on: .standardOutput, kind)
  }

  /// Prints a text that contains its own line ends on stdout. For verbs that do not call `writeApart`.
  static func output(text: String) { outputNow(text, end: "") }

  /// Prints a line on stderr. A path or a peer's word in it cannot break the line.
  static func error(_ line: String, _ kind: LineBacklog.Kind = .own) {
    guard let writer = writer.withLock({ $0 }) else { return errorNow(line) }
    writer.put(line, on: .standardError, kind)
  }

  /// The first failure to write to stdout. Nil if there was none. A reader that closed the pipe is no failure.
  static var outputFailure: Errno? { state.withLock { $0.outputFailure } }

  /// Writes a line at once. A line that cannot be written is dropped; the command goes on.
  private static func outputNow(_ line: String, end: String = "\n") {
    state.withLock { state in
      if sharesTerminal { write(clearing(&state)) }
      if let error = Terminal.write(line + end, to: .standardOutput), !error.isClosedByPeer, state.outputFailure == nil
      {
        state.outputFailure = error
      }
      if sharesTerminal { showAgain(&state) }
    }
  }

  private static func errorNow(_ line: String) {
    state.withLock { state in
      write(clearing(&state) + SuggestedName.harmlessLine(line) + "\n")
      showAgain(&state)
    }
  }

  /// Shows lines at the bottom of the terminal and replaces the ones before. Does nothing if stderr is not a terminal,
  /// or this process is not in its foreground. `render` gets the size of the screen; its lines are cut to that.
  static func show(_ render: (ScreenSize, ScreenStyle) -> [ScreenLine]) {
    guard isTerminal else { return }
    state.withLock { state in
      let now = Clock.monotonicNanoseconds
      guard now - state.drawnNanoseconds >= drawInterval.wholeNanoseconds, mayDraw(&state) else { return }
      state.lines = render(size, style)
      draw(&state, at: now)
    }
  }

  /// Removes the region from the screen.
  static func endShow() {
    state.withLock { state in
      write(clearing(&state))
      (state.lines, state.drawnNanoseconds) = ([], 0)
    }
  }

  /// Returns a name from outside in a form that is harmless for a terminal and a log.
  static func escaped(_ name: String) -> String { SuggestedName.escapedForTerminal(name) }

  // MARK: The region

  private static var size: ScreenSize {
    let size = Terminal.size(.standardError) ?? (80, 24)
    return ScreenSize(columns: size.columns, rows: size.rows)
  }

  /// Returns false for a terminal that is stopped (Ctrl-S) or slow, because a download must not wait for its display.
  private static func mayDraw(_ state: inout State) -> Bool {
    if continued?.hasCome == true { state.region.forget() }
    return Terminal.isForeground(.standardError) && Terminal.canWrite(.standardError)
  }

  private static func draw(_ state: inout State, at now: Int64) {
    let size = size
    // The last column stays free: a character there makes some terminals wrap.
    write(state.region.draw(state.lines.map { $0.rendered(columns: size.columns - 1, style) }, size))
    state.drawnNanoseconds = now
  }

  private static func clearing(_ state: inout State) -> String {
    guard isTerminal, !state.region.isEmpty else { return "" }
    if continued?.hasCome == true { state.region.forget() }
    return state.region.erase(size)
  }

  /// Draws the region again after a line above it, but not more often than the draw interval.
  private static func showAgain(_ state: inout State) {
    let now = Clock.monotonicNanoseconds
    guard !state.lines.isEmpty, now - state.drawnNanoseconds >= drawInterval.wholeNanoseconds, mayDraw(&state) else {
      return
    }
    draw(&state, at: now)
  }

  private static func write(_ text: String) { if !text.isEmpty { Terminal.write(text, to: .standardError) } }
}

/// Reports whether the process was stopped and continued.
private final class ContinueSignal: Sendable {
  private let signals: Signals

  init() throws(Errno) { signals = try Signals([.continued]) }

  /// Whether SIGCONT has come since the last call.
  var hasCome: Bool {
    var hasCome = false
    while signals.next() != nil { hasCome = true }
    return hasCome
  }
}
