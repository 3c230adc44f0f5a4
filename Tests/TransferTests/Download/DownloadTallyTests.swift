// The counters of a download, and when it reports them.
import Content
import Testing

@testable import Transfer

@Suite struct DownloadTallyTests {
  @Test func `resumed and duplicate bytes are counted apart and not as speed`() {
    var tally = DownloadTally(at: .zero)
    tally.verified(byteCount: 1000, needed: 1000, fresh: 1000, at: .zero)
    tally.verified(byteCount: 1000, needed: 900, fresh: 400, at: .milliseconds(500))
    #expect(tally.stats.bytes == 1400 && tally.stats.duplicateBytes == 500 && tally.stats.gapBytes == 100)
    #expect(tally.bytesPerSecond(at: .seconds(1)) == 1400)
  }

  @Test func `bytes of an earlier download do not count as fetched`() {
    var tally = DownloadTally(at: .zero)
    tally.resumed(100, of: ChunkIndex(1))
    tally.resumed(20, of: ChunkIndex(1))
    #expect(tally.fetchedBytes(of: ChunkIndex(0), of: 1000) == 1000)
    #expect(tally.fetchedBytes(of: ChunkIndex(1), of: 1000) == 880)
  }

  @Test func `reports of chunks come after the start report, other actions at once`() {
    let failed = DownloadReport.chunkFailed(chunk: ChunkIndex(0), peer: peerID(1))
    let started = DownloadReport.started(chunks: 1, peers: 1)
    var actions = DownloadActions()
    actions.report(failed)
    actions.append(.report(.peerJoined(peerID(1))))
    #expect(!actions.hasStarted)
    #expect(taken(&actions) == [.report(.peerJoined(peerID(1)))])
    actions.start(with: [started])
    #expect(actions.hasStarted)
    actions.report(failed)
    #expect(taken(&actions) == [.report(started), .report(failed), .report(failed)])
  }

  private func taken(_ actions: inout DownloadActions) -> [DownloadAction] {
    var taken: [DownloadAction] = []
    while let action = actions.takeFirst() { taken.append(action) }
    return taken
  }
}
