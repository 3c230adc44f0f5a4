// The limits and the patience of a node's downloads, on real sockets.
import Content
import Posix
import Sodium
import Synchronization
import Testing
import TestSupport
import Transfer

@testable import PeerNode

@Suite struct LimitTests {
  @Test func `a download limit is kept, and lifting it takes effect at once`() throws {
    let source = try FakeSource(SourceScript())
    defer { source.stop() }
    var configuration = NodeConfiguration()
    // At this rate the file takes an hour.
    configuration.downloadLimit = 1_000
    let downloader = Downloader(configuration)
    let lifting = Mutex(false)
    let watchdog = Watchdog(seconds: 60) { downloader.cancel() }
    defer { withExtendedLifetime(watchdog) {} }
    let folder = TemporaryFolder()
    let result = try downloader.downloadFile(
      Sample.common.fileID,
      from: [PeerSource(host: HostPort(host: source.address.host, port: source.address.port))],
      to: DownloadTarget(folder: folder.path)
    ) { update in
      guard case .report(.started) = update else { return }
      lifting.withLock { $0 = true }
      downloader.limit(uploads: nil, downloads: nil)
    }
    #expect(lifting.withLock { $0 })
    #expect(folder.read(result.name) == Sample.common.bytes)
  }

  @Test func `a patient download waits for its source and reports that it waits`() throws {
    let asked = Mutex(0)
    var script = SourceScript()
    // The source has the file from the third OPEN on.
    script.onOpen = { peer, open, sample in
      let count = asked.withLock { count in
        count += 1
        return count
      }
      guard count < 3 else { return try peer.offer(sample, as: open.handle) }
      try peer.refuse(open.handle, .noSuchFile)
    }
    let source = try FakeSource(script)
    defer { source.stop() }
    var settings = DownloadSettings()
    settings.patience = .forever
    let waits = Mutex<[PeerWait?]>([])
    let downloader = Downloader(NodeConfiguration(), settings: settings)
    let watchdog = Watchdog(seconds: 60) { downloader.cancel() }
    defer { withExtendedLifetime(watchdog) {} }
    let folder = TemporaryFolder()
    let result = try downloader.downloadFile(
      Sample.common.fileID,
      from: [PeerSource(host: HostPort(host: source.address.host, port: source.address.port))],
      to: DownloadTarget(folder: folder.path)
    ) { update in
      if case .waiting(let wait) = update { waits.withLock { $0.append(wait) } }
    }
    let heard = waits.withLock { $0 }
    #expect(heard.first??.state == .anyPeer && heard.last == .some(nil))
    #expect(folder.read(result.name) == Sample.common.bytes)
  }
}
