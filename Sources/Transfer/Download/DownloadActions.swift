// The actions of a download that the caller has not taken yet.

/// Actions in the order in which they were added. Reports of chunks wait for the report of the start, which waits a
/// moment so that it counts more peers.
struct DownloadActions: Sendable {
  private var queue = ActionQueue<DownloadAction>()
  /// Reports that wait for the start.
  private var held: [DownloadReport] = []
  /// Whether the download has reported its start.
  private(set) var hasStarted = false

  mutating func append(_ action: DownloadAction) { queue.append(action) }

  /// Adds a report now, or once the start is reported.
  mutating func report(_ report: DownloadReport) {
    if hasStarted { queue.append(.report(report)) } else { held.append(report) }
  }

  /// Adds the reports of the start, then all reports that waited for it.
  mutating func start(with reports: [DownloadReport]) {
    hasStarted = true
    for report in reports + held { queue.append(.report(report)) }
    held = []
  }

  /// Nil if no action is left.
  mutating func takeFirst() -> DownloadAction? { queue.takeFirst() }
}
