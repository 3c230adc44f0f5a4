// A node ends while other threads still use it.
import Posix
import TestSupport
import Testing

@testable import PeerNode

@Suite struct NodeEndTests {
  @Test func `a download that is started or resumed after its node ended is over at once`() throws {
    var silence = SourceScript()
    silence.onRequest = { _, _, _ in }
    let source = try FakeSource(silence)
    defer { source.stop() }
    let node = try TestNode(listens: false)
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: source.address.port))
    let paused = node.download(.common, from: [peer], into: TemporaryFolder())
    try #require(paused.pause() && paused.waitForPause())
    node.node.context.threads.stop()
    #expect(paused.resume() && paused.isOver)
    node.node.shutDown(grace: .zero)
    let late = node.download(.small, from: [], into: TemporaryFolder())
    try #require(late.isOver)
    guard case .failure(.nodeStopped) = Result(catching: { () throws(DownloadError) in try late.wait() })
    else {
      Issue.record("\(late)")
      return
    }
  }

  @Test func `downloads that start while the node ends are over when it has ended`() throws {
    let node = try TestNode(listens: false)
    let samples = (0..<200).map { Sample("file-\($0).bin", byteCount: 1 + $0, seed: UInt64($0)) }
    let (began, folder) = (BlockingQueue<Download>(), TemporaryFolder())
    let starter = Thread.start(name: "starter") { [node = node.node] in
      for sample in samples {
        began.put(
          node.download(
            sample.fileID, from: [PeerSource(host: HostPort(host: "127.0.0.1", port: 1))],
            to: DownloadTarget(folder: folder.path)))
      }
      began.close()
    }
    var downloads = [began.take()].compactMap { $0 }
    node.node.shutDown(grace: .zero)
    starter.join()
    while let download = began.take() { downloads.append(download) }
    #expect(downloads.count == samples.count && downloads.allSatisfy(\.isOver))
  }

  @Test func `a folder that is added after the end of its node is not served`() throws {
    let node = try TestNode()
    try node.share([.common])
    node.node.shutDown(grace: .zero)
    #expect(try node.share([.small]).served.files == 0)
  }

  @Test func `threads that end a node and remove its folders at the same time all return`() throws {
    let over = BlockingQueue<Bool>()
    let watchdog = Watchdog(seconds: 20) { over.close() }
    defer { withExtendedLifetime(watchdog) {} }
    for _ in 0..<20 {
      let node = try TestNode()
      let folders = try [node.share([.small]), node.share([Sample("other.bin", byteCount: 9, seed: 1)])]
      let work: [@Sendable () -> Void] = [
        { folders[0].remove() }, { folders[1].remove() },
        { [node = node.node] in node.shutDown(grace: .zero) }, { [node = node.node] in node.shutDown(grace: .zero) },
      ]
      for one in work {
        Thread.start(name: "end") {
          one()
          over.put(true)
        }
        .detach()
      }
      for _ in work { try #require(over.take() == true, "a thread waits for ever") }
      #expect(node.node.figures.files == 0)
    }
  }
}
