// The threads that look names up. The resolver blocks, for half a minute if no name server answers.
import Posix
import Synchronization
import Transfer

/// A bounded number of threads for the look-ups of all downloads, which take turns. A thread ends when no look-up may
/// start. None is waited for: a node that stops does not wait for a name server.
final class LookupThreads: Sendable {
  typealias Job = @Sendable () -> Void

  /// Look-ups at a time: those of a few downloads that name a few hosts each. More would flood a small name server.
  static let threadsMax = 16

  /// The look-ups of one download.
  fileprivate struct Lane {
    var waiting: [Job] = []
    var runningCount = 0
  }

  fileprivate struct State {
    /// Those of downloads that have look-ups.
    var lanes: [DownloadID: Lane] = [:]
    /// The downloads whose look-ups wait, the one whose turn comes next first.
    var turns: [DownloadID] = []
    var runningCount = 0
  }
  private let state = Mutex(State())

  /// Look-ups of one download at a time: its share, and one share is left for the next download. So names that no server
  /// answers for keep only the look-ups of their own download waiting.
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
    startThreads()  // fewer downloads have larger shares
  }
}

extension LookupThreads.State {
  fileprivate mutating func add(_ job: @escaping LookupThreads.Job, of download: DownloadID) {
    if lanes[download, default: LookupThreads.Lane()].waiting.isEmpty { turns.append(download) }
    lanes[download, default: LookupThreads.Lane()].waiting.append(job)
  }

  /// A look-up that starts now; nil if none may. `ended` follows.
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
