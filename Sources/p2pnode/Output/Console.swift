// What the command prints, and where: results on stdout, everything else on stderr. Lines of threads never mix, and the
// region at the bottom of a terminal that is redrawn stays below them.
import Content
import Posix
import Synchronization

enum Console {
  /// Whether stderr is a terminal that can redraw lines.
  static let isTerminal = Terminal.isTerminal(.standardError) && (Environment.variable("TERM") ?? "dumb") != "dumb"
  /// Whether stdout is a terminal: then it is taken for the same one.
  private static let sharesTerminal = Terminal.isTerminal(.standardOutput)
  private static let style = ScreenStyle.current
  /// How often the region is redrawn at most: what changes faster nobody reads.
  private static let drawInterval = Duration.milliseconds(50)

  private struct State {
    var region = ScreenRegion()
    /// What the region shows, also while it is off the screen for a moment.
    var lines: [ScreenLine] = []
    var drawnNanoseconds: Int64 = 0
    var outputFailure: Errno?
  }
  private static let state = Mutex(State())

  /// So that a region is begun anew after the job was stopped: the shell has written below it. Before any other thread is
  /// started, which then all leave the signal to this.
  static func watchStops() { if isTerminal { _ = continued } }
  /// Nil: no descriptor was left for it.
  private static let continued = try? ContinueSignal()

  // MARK: Lines

  /// Nil: each thread writes its own lines, and waits for the reader.
  private static let writer = Mutex<LineWriter?>(nil)

  /// From now on a thread of its own writes the lines, so that no other waits for their readers.
  /// - `dropped`: the line that says how many lines of strangers a stream lost.
  /// - `outputFailed`: called once on that thread, when stdout takes a line no more; with whether that is the first line.
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

  /// No thread waits for a reader any more.
  static func stopWaiting() { writer.withLock { $0 }?.stopWaiting() }

  /// Returns when all lines are written, or their readers take none. Before the process ends.
  static func finish() { writer.withLock { $0 }?.finish() }

  /// A line on stdout.
  static func output(_ line: String, _ kind: LineBacklog.Kind = .own) {
    guard let writer = writer.withLock({ $0 }) else { return outputNow(line) }
    writer.put(line, on: .standardOutput, kind)
  }

  /// A text on stdout that has its own ends of lines, for a verb that prints nothing apart.
  static func output(text: String) { outputNow(text, end: "") }

  /// A line on stderr. Whatever path or word of a peer it quotes, it stays one line.
  static func error(_ line: String, _ kind: LineBacklog.Kind = .own) {
    guard let writer = writer.withLock({ $0 }) else { return errorNow(line) }
    writer.put(line, on: .standardError, kind)
  }

  /// What went wrong when a line was written to stdout, the first time; nil: nothing. A reader that has gone is not wrong.
  static var outputFailure: Errno? { state.withLock { $0.outputFailure } }

  /// What cannot be written ends nothing here: the line is dropped.
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

  /// Shows lines at the bottom of the terminal, in the place of those before. Nothing where stderr is no terminal, or not
  /// at this moment this process's. `render` is told what there is room for; its lines are cut to that.
  static func show(_ render: (ScreenSize, ScreenStyle) -> [ScreenLine]) {
    guard isTerminal else { return }
    state.withLock { state in
      let now = Clock.monotonicNanoseconds
      guard now - state.drawnNanoseconds >= drawInterval.wholeNanoseconds, mayDraw(&state) else { return }
      state.lines = render(size, style)
      draw(&state, at: now)
    }
  }

  /// Takes the region off the screen.
  static func endShow() {
    state.withLock { state in
      write(clearing(&state))
      (state.lines, state.drawnNanoseconds) = ([], 0)
    }
  }

  /// A name from outside, made harmless for a terminal and a log.
  static func escaped(_ name: String) -> String { SuggestedName.escapedForTerminal(name) }

  // MARK: The region

  private static var size: ScreenSize {
    let size = Terminal.size(.standardError) ?? (80, 24)
    return ScreenSize(columns: size.columns, rows: size.rows)
  }

  /// A terminal that is stopped (Ctrl-S) or slow gets nothing: a download does not wait for its display.
  private static func mayDraw(_ state: inout State) -> Bool {
    if continued?.hasCome == true { state.region.forget() }
    return Terminal.isForeground(.standardError) && Terminal.canWrite(.standardError)
  }

  private static func draw(_ state: inout State, at now: Int64) {
    let size = size
    // The last column stays free: a sign there makes some terminals wrap.
    write(state.region.draw(state.lines.map { $0.rendered(columns: size.columns - 1, style) }, size))
    state.drawnNanoseconds = now
  }

  private static func clearing(_ state: inout State) -> String {
    guard isTerminal, !state.region.isEmpty else { return "" }
    if continued?.hasCome == true { state.region.forget() }
    return state.region.erase(size)
  }

  /// After a line above it; in a flood of them only when its time has come.
  private static func showAgain(_ state: inout State) {
    let now = Clock.monotonicNanoseconds
    guard !state.lines.isEmpty, now - state.drawnNanoseconds >= drawInterval.wholeNanoseconds, mayDraw(&state) else {
      return
    }
    draw(&state, at: now)
  }

  private static func write(_ text: String) { if !text.isEmpty { Terminal.write(text, to: .standardError) } }
}

/// Whether the process was stopped and goes on.
private final class ContinueSignal: Sendable {
  private let signals: Signals

  init() throws(Errno) { signals = try Signals([.continued]) }

  /// Since the last time it was asked.
  var hasCome: Bool {
    var hasCome = false
    while signals.next() != nil { hasCome = true }
    return hasCome
  }
}
