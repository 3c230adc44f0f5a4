// Downloads that share a node, for tests.
import Content
import Foundation
import Posix
import TestSupport
import Transfer
import Wire

@testable import PeerNode

/// Downloads on one node.
final class SharedThreads {
  /// A download that was started.
  final class Started {
    let download: Download
    let folder: TemporaryFolder
    private let result = Monitor<Result<DownloadResult, DownloadError>?>(nil)

    fileprivate init(_ download: Download, into folder: TemporaryFolder) {
      (self.download, self.folder) = (download, folder)
    }

    var link: DownloadLink { download.link! }

    /// Waits for an update. Returns false if the download ends without it.
    func reaches(_ matches: (DownloadUpdate) -> Bool) -> Bool {
      while let update = download.queue.take() { if matches(update) { return true } }
      return false
    }

    /// Waits for the end.
    func ended() -> Result<DownloadResult, DownloadError> {
      do throws(DownloadError) { return .success(try download.wait()) } catch { return .failure(error) }
    }

    var isOver: Bool { download.isOver }
  }

  let node: Node
  private let all: Monitor<[Download]>
  private let watchdog: Watchdog

  init() throws {
    var configuration = NodeConfiguration(identity: .random())
    configuration.loopCount = 1
    node = try Node(configuration)
    let all = Monitor<[Download]>([])
    watchdog = Watchdog(seconds: 120) { for download in all.change({ $0 }) { download.cancel() } }
    self.all = all
  }

  deinit { node.shutDown(grace: .zero) }

  /// - `target`: nil: a new folder.
  func start(_ fileID: FileID, from addresses: [Endpoint], to target: DownloadTarget? = nil) throws -> Started {
    let folder = TemporaryFolder()
    let download = node.download(
      fileID, from: addresses.map { PeerSource(host: HostPort(host: $0.host, port: $0.port)) },
      to: target ?? DownloadTarget(folder: folder.path), shares: false)
    all.change { $0.append(download) }
    return Started(download, into: folder)
  }
}

/// Returns the names of this process's threads that downloads share or own, without threads that talk to peers.
func downloadThreadNames() throws -> [String] {
  try Directory("/proc/self/task").entries().compactMap { entry in
    guard let task = entry.text else { return nil }
    let name = try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8)
    return name?.split(separator: "\n").first.map(String.init)
  }
  .filter { $0.hasPrefix("p2p-") && !$0.hasPrefix("p2p-net-") }.sorted()
}
