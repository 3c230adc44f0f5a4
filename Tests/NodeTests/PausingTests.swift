// Pauses of a download: when it may pause, its statistics meanwhile, and the part file.
import Content
import Foundation
import Posix
import Storage
import TestSupport
import Testing
import Transfer
import Wire

@testable import PeerNode

@Suite struct PausingTests {
  @Test func `a stream cannot pause, since it cannot resume where it was`() throws {
    let source = try FakeSource()
    defer { source.stop() }
    let shared = try SharedThreads()
    let pipe = Pipe()
    let stalled = try shared.start(
      Sample.common.fileID, from: [source.address], to: .stream(to: pipe.fileHandleForWriting.fileDescriptor))
    #expect(stalled.reaches { if case .prepared = $0 { true } else { false } })
    try #require(!stalled.download.pause())
    let bytes = try pipe.fileHandleForReading.read(upToCount: Sample.common.bytes.count)
    #expect(bytes.map { Array($0) } == Sample.common.bytes)
    #expect(try stalled.ended().get().path == nil)
  }

  @Test func `the statistics of a download that is about to resume are those up to its pause`() throws {
    var configuration = NodeConfiguration()
    configuration.loopCount = 1
    let context = try NodeContext(configuration) { _ in }
    defer { context.threads.stop() }
    let download = Download(Sample.small.fileID, isWatched: false)
    let answers = BlockingQueue<DownloadStats?>()
    download.began(
      DownloadRun.link(to: download.fileID, of: context),
      restart: { [unowned download] in download.askStatistics { answers.put($0) } }, onEnd: { _ in })
    try #require(download.pause())
    var stats = DownloadStats()
    stats.bytes = 7
    #expect(!download.stopped(.failure(.failed(.cancelled, stats, part: nil))))
    #expect(download.resume())
    answers.close()
    #expect(answers.take()??.bytes == 7)
  }

  @Test func `the part file of a paused download is free even if a loop still offers it`() throws {
    let (opened, gate) = (BlockingQueue<Bool>(), BlockingQueue<Void>())
    let watchdog = Watchdog(seconds: 60) {
      opened.close()
      gate.close()
    }
    defer { withExtendedLifetime(watchdog) {} }
    var configuration = NodeConfiguration(identity: .random())
    configuration.loopCount = 1
    let node = try Node(configuration, listen: .loopback(0)) { event in
      guard case .opened = event else { return }
      opened.put(true)
      _ = gate.take()
    }
    defer { node.shutDown(grace: .zero) }
    let hasAnswered = StopFlag()
    var script = SourceScript()
    script.onRequest = { peer, request, sample in
      guard !hasAnswered.isSet else { return }
      hasAnswered.set()
      try peer.send(each: sample.answer(request))
    }
    let source = try FakeSource(script)
    defer { source.stop() }
    defer { gate.close() }
    let folder = TemporaryFolder()
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: source.address.port))
    let download = node.download(Sample.common.fileID, from: [peer], to: DownloadTarget(folder: folder.path))
    while let update = download.queue.take() { if case .report(.chunkDone) = update { break } }
    let getter = try ScriptedPeer(dialling: node.address!)
    try getter.send(getter.openMessage(Sample.common.fileID))
    try #require(opened.take() == true)
    try #require(download.pause() && download.waitForPause())
    let length = UInt64(Sample.common.bytes.count)
    #expect(try PartFile(inFolder: folder.path, fileID: Sample.common.fileID, length: length).isResumed)
  }
}
