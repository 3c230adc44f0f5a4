// Threads that look up host names. The resolver blocks, for half a minute if no name server answers.
import Posix
import Synchronization
import Transfer

/// A bounded number of threads for the look-ups of all downloads, which take turns. A thread ends when no look-up may
/// start. Stopping the node waits for none of them, since a name server may not answer.
final class LookupThreads: Sendable {
  typealias Job = @Sendable () -> Void

  /// The most look-ups at a time: enough for a few downloads with a few hosts each. More would flood a small name
  /// server.
  static let threadsMax = 16

  /// The look-ups of one download.
  fileprivate struct Lane {
    var waiting: [Job] = []
    var runningCount = 0
  }

  fileprivate struct State {
    /// The lanes of downloads that have look-ups.
    var lanes: [DownloadID: Lane] = [:]
    /// The downloads with waiting look-ups, in the order of their turns.
    var turns: [DownloadID] = []
    var runningCount = 0
  }
  private let state = Mutex(State())

  /// Returns how many look-ups one download may run at a time: an equal share, with one share left for the next
  /// download. Names that no server answers for delay only the look-ups of their own download.
  static func runningMax(downloads: Int) -> Int { max(1, threadsMax / (downloads + 1)) }

  /// Runs a look-up of a download as soon as it may start.
  func run(for download: DownloadID, _ job: @escaping Job) {
    state.withLock { $0.add(job, of: download) }
    startThreads()
  }

  private func startThreads() {
    while let (download, job) = state.withLock({ $0.next() }) {
      Thread.start(name: "p2p-resolve") { self.work(download, job) }.detach()
    }
  }

  private func work(_ download: DownloadID, _ job: @escaping Job) {
    var next: (DownloadID, Job)? = (download, job)
    while let (download, job) = next {
      job()
      next = state.withLock { state in
        state.ended(download)
        return state.next()
      }
    }
    startThreads()  // a download may have ended, which makes the shares larger
  }
}

extension LookupThreads.State {
  fileprivate mutating func add(_ job: @escaping LookupThreads.Job, of download: DownloadID) {
    if lanes[download, default: LookupThreads.Lane()].waiting.isEmpty { turns.append(download) }
    lanes[download, default: LookupThreads.Lane()].waiting.append(job)
  }

  /// Returns a look-up to start now; nil if none may start. The caller calls `ended` after it.
  fileprivate mutating func next() -> (DownloadID, LookupThreads.Job)? {
    let runningMax = LookupThreads.runningMax(downloads: lanes.count)
    guard runningCount < LookupThreads.threadsMax,
      let place = turns.firstIndex(where: { lanes[$0]!.runningCount < runningMax })
    else { return nil }
    let download = turns.remove(at: place)
    let job = lanes[download]!.waiting.removeFirst()
    lanes[download]!.runningCount += 1
    runningCount += 1
    if !lanes[download]!.waiting.isEmpty { turns.append(download) }
    return (download, job)
  }

  fileprivate mutating func ended(_ download: DownloadID) {
    runningCount -= 1
    lanes[download]!.runningCount -= 1
    if lanes[download]!.runningCount == 0, lanes[download]!.waiting.isEmpty { lanes[download] = nil }
  }
}
