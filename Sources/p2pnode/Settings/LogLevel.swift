// Decides which lines go to stderr, and marks their priority if the system's journal reads them.
import CommandSettings
import Posix
import Synchronization

extension LogLevel {
  /// The prefix of sd-daemon(3). The journal takes the number as the line's priority and keeps the rest.
  fileprivate var prefix: String {
    switch self {
    case .error: "<3>"
    case .warning: "<4>"
    case .info: "<6>"
    case .debug: "<7>"
    }
  }
}

extension Console {
  /// The number of levels that are printed. `serve` changes it while it runs.
  private static let shown = Atomic<Int>(LogLevel.allCases.count)
  private static let isJournal = Journal.isStandardError

  /// Sets the least urgent level that `log` prints.
  static func show(_ level: LogLevel) {
    shown.store(LogLevel.allCases.count { $0 <= level }, ordering: .relaxed)
  }

  /// Prints a line on stderr if its level is urgent enough.
  static func log(_ level: LogLevel, _ line: String, _ kind: LineBacklog.Kind = .own) {
    guard LogLevel.allCases.prefix(shown.load(ordering: .relaxed)).contains(level) else { return }
    error(logged(level, line), kind)
  }

  /// Returns a line in the form for the log.
  static func logged(_ level: LogLevel, _ line: String) -> String { isJournal ? level.prefix + line : line }
}
