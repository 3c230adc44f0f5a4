// Downloads that pause and continue, or that are cancelled while they pause.
import Content
import Posix
import Storage
import TestSupport
import Testing
import Transfer
import Wire

@testable import PeerNode

enum PeerNodeSamples {
  static let all = (1...3).map { Sample("file-\($0).bin", byteCount: 3 << 20, seed: UInt64($0)) }
}

extension Download {
  /// The statistics so far.
  var numbers: DownloadStats? {
    let answers = BlockingQueue<DownloadStats?>()
    askStatistics { answers.put($0) }
    return answers.take() ?? nil
  }

  /// Waits for the end.
  var outcome: Result<DownloadResult, DownloadError> { Result { () throws(DownloadError) in try wait() } }
}

@Suite struct PausedDownloadTests {
  @Test func `a paused download resumes with its verified bytes, and its statistics cover both parts`() throws {
    let sample = PeerNodeSamples.all[0]
    let (isGenerous, hasAnswered) = (StopFlag(), StopFlag())
    var script = SourceScript(sample)
    // The peer answers one request now and the others after the pause.
    script.onRequest = { peer, request, sample in
      guard isGenerous.isSet || !hasAnswered.isSet else { return }
      hasAnswered.set()
      try peer.send(each: sample.answer(request))
    }
    let source = try FakeSource(script)
    defer { source.stop() }
    let getter = try TestNode(listens: false)
    let copies = TemporaryFolder()
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: source.address.port))
    let download = getter.download(sample, from: [peer], into: copies)
    while let update = download.queue.take() { if case .report(.chunkDone) = update { break } }
    #expect(download.numbers?.downloadedChunks == 1)
    #expect(!download.resume(), "it runs")
    try #require(download.pause() && download.waitForPause())
    let paused = try #require(download.numbers)
    #expect(paused.downloadedChunks == 1 && paused.bytes == 1 << 20)
    #expect(copies.read(sample.name) == nil && !copies.names.isEmpty, "the part file stays")
    isGenerous.set()
    #expect(download.resume() && !download.isPaused)
    let stats = try download.wait().stats
    #expect(copies.read(sample.name) == sample.bytes)
    #expect(stats.downloadedChunks == 3 && stats.resumedChunks == 0 && stats.bytes == 3 << 20)
    #expect(stats.peers.map(\.chunks) == [3] && stats.duration >= paused.duration)
    #expect(!download.pause() && !download.resume())
  }

  @Test func `cancelling a paused download ends it`() throws {
    var silence = SourceScript()
    silence.onRequest = { _, _, _ in }
    let source = try FakeSource(silence)
    defer { source.stop() }
    let getter = try TestNode(listens: false)
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: source.address.port))
    let folder = TemporaryFolder()
    let download = getter.download(.common, from: [peer], into: folder)
    try #require(download.pause() && download.waitForPause())
    download.cancel()
    guard case .failure(.failed(.cancelled, _, _)) = download.outcome else {
      Issue.record("\(download.outcome)")
      return
    }
    // The file can be downloaded again.
    let again = getter.download(.common, from: [peer], into: folder)
    try #require(again.pause() && again.waitForPause())
    getter.node.shutDown(grace: .zero)
    #expect(again.isOver)
  }
}
