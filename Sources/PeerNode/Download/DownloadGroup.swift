// The updates and ends of several downloads, for one thread that reads them all.
import Posix

/// Downloads whose updates one thread takes, in turns. A download with many updates does not hold up those of the others.
/// Confined to the thread that reads.
package final class DownloadGroup {
  package enum News {
    case update(DownloadUpdate)
    /// The download is over, and no longer in the group.
    case ended(Result<DownloadResult, DownloadError>)
  }

  /// Whether there may be something to take.
  private let bell = Monitor(false)
  private var downloads: [Download] = []
  /// The place of the download whose turn it is.
  private var turn = 0

  package init() {}

  /// Takes a download in. Nothing else reads its updates.
  package func add(_ download: Download) {
    downloads.append(download)
    download.queue.announce { [bell] in bell.change { $0 = true } }
  }

  /// The next update or end of a download. Sleeps until there is one. Nil: the group is empty.
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
