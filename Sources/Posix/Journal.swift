// Finds out whether the system's journal reads this process's errors: JOURNAL_STREAM in systemd.exec(5).
import Glibc

public enum Journal {
  /// Whether stderr is a stream of the journal. Lines may then begin with their priority.
  public static let isStandardError: Bool = {
    guard let stream = Environment.variable("JOURNAL_STREAM") else { return false }
    var status = stat()
    guard fstat(StandardStream.standardError.rawValue, &status) == 0 else { return false }
    return stream == "\(status.st_dev):\(status.st_ino)"
  }()
}
