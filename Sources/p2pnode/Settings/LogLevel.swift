// How much is said on stderr, and how urgent each line is where the journal of the system reads it.
import CommandSettings
import Posix
import Synchronization

extension LogLevel {
  /// As sd-daemon(3) has it: the journal takes the number for the line's priority, and keeps the rest.
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
  /// The level of `serve`, which changes while it runs.
  private static let shown = Atomic<Int>(LogLevel.allCases.count)
  private static let isJournal = Journal.isStandardError

  /// From now on `log` leaves out what is less urgent.
  static func show(_ level: LogLevel) {
    shown.store(LogLevel.allCases.count { $0 <= level }, ordering: .relaxed)
  }

  /// A line on stderr, where it is urgent enough.
  static func log(_ level: LogLevel, _ line: String, _ kind: LineBacklog.Kind = .own) {
    guard LogLevel.allCases.prefix(shown.load(ordering: .relaxed)).contains(level) else { return }
    error(logged(level, line), kind)
  }

  /// A line as it is written to the log.
  static func logged(_ level: LogLevel, _ line: String) -> String { isJournal ? level.prefix + line : line }
}
