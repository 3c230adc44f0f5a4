// The actions of a download that the caller has not taken yet.

/// Actions in the order in which they were added. Reports of chunks come after the start is reported, which waits a
/// moment for peers to be counted.
struct DownloadActions: Sendable {
  private var queue = ActionQueue<DownloadAction>()
  /// Reports that wait for the start.
  private var held: [DownloadReport] = []
  /// Whether the download has reported its start.
  private(set) var hasStarted = false

  mutating func append(_ action: DownloadAction) { queue.append(action) }

  /// Reports now, or after the start.
  mutating func report(_ report: DownloadReport) {
    if hasStarted { queue.append(.report(report)) } else { held.append(report) }
  }

  /// The download reports its start, and then all that waited for it.
  mutating func start(with reports: [DownloadReport]) {
    hasStarted = true
    for report in reports + held { queue.append(.report(report)) }
    held = []
  }

  /// Nil if no action is left.
  mutating func takeFirst() -> DownloadAction? { queue.takeFirst() }
}
