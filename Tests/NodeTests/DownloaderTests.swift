// A downloader with a fixed address. Its nodes run one after another, never at the same time.
import Content
import Posix
import TestSupport
import Testing

@testable import PeerNode

@Suite struct DownloaderTests {
  /// Returns a free port of a loopback address that no other test uses.
  private func freeAddress() throws -> Endpoint {
    let socket = try Socket.listening(on: Endpoint(ipv4: (127, 11, 9, 7), port: 0))
    return try socket.localAddress()
  }

  @Test func `a download that starts while the previous node ends gets the port after that node`() throws {
    let address = try freeAddress()
    let downloader = Downloader(NodeConfiguration(identity: .random()), sharing: Sharing(listen: address))
    let folder = TemporaryFolder()
    let ends = BlockingQueue<DownloadError?>()
    let watchdog = Watchdog(seconds: 60) { ends.close() }
    defer { withExtendedLifetime(watchdog) {} }
    let rounds = 30
    for worker in 0..<2 {
      Thread.start(name: "downloads") {
        for round in 0..<rounds {
          let fileID = FileID(kind: .file, length: UInt64(1 + worker * rounds + round), root: .zero)
          let download = Download(fileID, isWatched: false)
          downloader.start(download, length: nil, from: [], to: DownloadTarget(folder: folder.path))
          download.cancel()
          do throws(DownloadError) {
            _ = try download.wait()
            ends.put(nil)
          } catch {
            ends.put(error)
          }
        }
      }
      .detach()
    }
    for _ in 0..<2 * rounds {
      let end = try #require(ends.take(), "a download does not end")
      guard case .failed? = end else {
        Issue.record("\(String(describing: end))")
        continue
      }
    }
  }
}
