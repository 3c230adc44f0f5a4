// Lets one thread read the updates and results of several downloads.
import Posix

/// Downloads whose updates one thread reads in turns, so that a download with many updates does not delay the others.
/// Confined to the reading thread.
package final class DownloadGroup {
  package enum News {
    case update(DownloadUpdate)
    /// The download has ended, and has left the group.
    case ended(Result<DownloadResult, DownloadError>)
  }

  /// Whether an update or end may wait.
  private let bell = Monitor(false)
  private var downloads: [Download] = []
  /// The index of the download that was read last.
  private var turn = 0

  package init() {}

  /// Adds a download. Nothing else may read its updates.
  package func add(_ download: Download) {
    downloads.append(download)
    download.queue.announce { [bell] in bell.change { $0 = true } }
  }

  /// Returns the next update or end of a download. Sleeps until there is one. Nil: the group is empty.
  package func next() -> (download: Download, news: News)? {
    while !downloads.isEmpty {
      for _ in downloads.indices {
        turn = (turn + 1) % downloads.count
        let download = downloads[turn]
        switch download.queue.takeNow() {
        case .element(let update): return (download, .update(update))
        case .nothing: continue
        case .end:
          downloads.remove(at: turn)
          turn = downloads.isEmpty ? 0 : turn % downloads.count
          return (download, .ended(download.outcome))
        }
      }
      bell.wait { isRung in
        defer { isRung = false }
        return isRung ? () : nil
      }
    }
    return nil
  }
}
