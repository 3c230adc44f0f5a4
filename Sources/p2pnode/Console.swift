// What the command prints, and where: results on stdout, everything else on stderr. Lines of threads never mix.
import Content
import Posix
import Synchronization

enum Console {
  /// Whether stderr is a terminal that can redraw a line.
  static let isTerminal = Terminal.isTerminal(.standardError) && Environment.variable("TERM") != "dumb"

  private struct State {
    /// A line that is redrawn in place is on the screen.
    var hasStatus = false
  }
  private static let state = Mutex(State())

  /// A line on stdout. A reader that is gone ends nothing here: the line is dropped.
  static func output(_ line: String) {
    state.withLock { state in
      clearStatus(&state)
      Terminal.write(line + "\n", to: .standardOutput)
    }
  }

  /// A line on stderr. Whatever path or word of a peer it quotes, it stays one line.
  static func error(_ line: String) {
    state.withLock { state in
      clearStatus(&state)
      Terminal.write(SuggestedName.harmlessLine(line) + "\n", to: .standardError)
    }
  }

  /// A line on the terminal that the next line or status replaces. Nothing where stderr is no terminal.
  static func status(_ line: String) {
    guard isTerminal else { return }
    state.withLock { state in
      let width = max(20, Terminal.width(.standardError) ?? 80)
      Terminal.write("\r" + line.prefix(width - 1) + "\u{1B}[K", to: .standardError)
      state.hasStatus = true
    }
  }

  /// Takes the status off the screen.
  static func endStatus() { state.withLock { clearStatus(&$0) } }

  private static func clearStatus(_ state: inout State) {
    if state.hasStatus { Terminal.write("\r\u{1B}[K", to: .standardError) }
    state.hasStatus = false
  }

  /// A name from outside, made harmless for a terminal and a log.
  static func escaped(_ name: String) -> String { SuggestedName.escapedForTerminal(name) }
}
