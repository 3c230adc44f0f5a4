// Whether the system's journal reads what this process writes, as systemd.exec(5) says under JOURNAL_STREAM.
import Glibc

public enum Journal {
  /// Whether stderr is the stream that the journal gave: then lines may begin with their priority.
  public static let isStandardError: Bool = {
    guard let stream = Environment.variable("JOURNAL_STREAM") else { return false }
    var status = stat()
    guard fstat(StandardStream.standardError.rawValue, &status) == 0 else { return false }
    return stream == "\(status.st_dev):\(status.st_ino)"
  }()
}
