// Downloads that share their threads, each on a node of its own, for tests.
import Content
import Foundation
import Posix
import TestSupport
import Transfer
import Wire

@testable import Node

/// Any number of downloads on one control thread.
final class SharedThreads {
  /// A download that was started.
  final class Started {
    let link: DownloadLink
    let folder: TemporaryFolder
    fileprivate let node: FetchingNode
    fileprivate let updates = UpdateQueue(isRead: true)
    fileprivate let result = Monitor<Result<DownloadResult, DownloadError>?>(nil)

    fileprivate init(_ node: FetchingNode, _ link: DownloadLink, into folder: TemporaryFolder) {
      (self.node, self.link, self.folder) = (node, link, folder)
    }

    /// Waits for an update; false if the download ends without it.
    func reaches(_ matches: (DownloadUpdate) -> Bool) -> Bool {
      while let update = updates.take() { if matches(update) { return true } }
      return false
    }

    /// Waits for the end.
    func ended() -> Result<DownloadResult, DownloadError> { result.wait { $0 } }

    var isOver: Bool { result.change { $0 != nil } }
  }

  let threads: DownloadThreads
  private var all: [Started] = []
  private let links: Monitor<[DownloadLink]>
  private let watchdog: Watchdog

  init() throws {
    let threads = try DownloadThreads()
    try threads.start()
    self.threads = threads
    let links = Monitor<[DownloadLink]>([])
    watchdog = Watchdog(seconds: 30) { for link in links.change({ $0 }) { link.cancel() } }
    self.links = links
  }

  deinit {
    for started in all { started.link.cancel() }
    threads.stop()
    for started in all { started.node.stop() }
  }

  /// - `target`: nil: a folder of its own.
  func start(_ fileID: FileID, from addresses: [Endpoint], to target: DownloadTarget? = nil) throws -> Started {
    var configuration = NodeConfiguration(identity: .random())
    configuration.loopCount = 1
    let node = try FetchingNode(configuration, listen: nil)
    try node.start()
    let started = Started(
      node, DownloadRun.link(to: fileID, of: node.context, on: threads), into: TemporaryFolder())
    links.change { $0.append(started.link) }
    all.append(started)
    let (link, updates, result) = (started.link, started.updates, started.result)
    let folder = started.folder.path
    // The control thread has it until the download is over, and the test stops it after that.
    nonisolated(unsafe) let handed = node
    threads.add(link) { now in
      DownloadRun(
        link, length: nil, peers: addresses.map { PeerSource(host: HostPort(host: $0.host, port: $0.port)) },
        target: target ?? DownloadTarget(folder: folder), on: handed, settings: DownloadSettings(), sharing: nil,
        resolve: { _ in [] }, onUpdate: updates.put, at: now)
    } onEnd: { outcome in
      result.change { $0 = outcome }
      updates.close()
    }
    return started
  }
}

/// The threads of this process that downloads share, or have: by name, without those that talk to peers.
func downloadThreadNames() throws -> [String] {
  try Directory("/proc/self/task").entries().compactMap { entry in
    guard let task = entry.text else { return nil }
    let name = try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8)
    return name?.split(separator: "\n").first.map(String.init)
  }
  .filter { $0.hasPrefix("p2p-") && !$0.hasPrefix("p2p-net-") }.sorted()
}
