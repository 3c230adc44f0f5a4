// Reports that wait for the start of a download.

/// Reports of chunks come after `started`, which waits a moment for peers to be counted.
struct StartReports: Sendable {
  private var held: [DownloadReport] = []
  /// Whether the download has reported its start.
  private(set) var areOut = false

  /// Whether a report goes out now. If not, it is held back.
  mutating func lets(_ report: DownloadReport) -> Bool {
    if !areOut { held.append(report) }
    return areOut
  }

  /// The download reports its start. Returns the reports that follow.
  mutating func release() -> [DownloadReport] {
    areOut = true
    defer { held = [] }
    return held
  }
}
