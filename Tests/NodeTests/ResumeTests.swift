// A download that continues an earlier one, whatever state that one left.
import Content
import Storage
import Testing
import TestSupport

@testable import PeerNode
@testable import Wire

@Suite struct ResumeTests {
  @Test func `only the missing and wrong chunks of a part file are fetched`() throws {
    let sample = Sample.common
    var left = sample.bytes
    left[ChunkLayout.wireChunkSize + 5] ^= 1
    for i in 3 * ChunkLayout.wireChunkSize..<left.count { left[i] = 0 }
    let folder = TemporaryFolder()
    folder.write(PartFile.name(of: sample.fileID), left, mode: 0o600)
    let source = try FakeSource()
    defer { source.stop() }
    let fetched = try fetch(from: [source.address], into: folder)
    #expect(fetched.output == sample.bytes)
    #expect(Set(source.log.requests.map(\.chunk)) == [ChunkIndex(1), ChunkIndex(3)])
    let stats = try #require(fetched.stats)
    #expect(stats.resumedChunks == 2)
    #expect(stats.downloadedChunks == 2)
    #expect(stats.bytes == UInt64(ChunkLayout.wireChunkSize + 20_000))
    #expect(folder.names == [sample.name])
  }

  @Test func `a complete part file is only verified`() throws {
    let folder = TemporaryFolder()
    folder.write(PartFile.name(of: Sample.common.fileID), Sample.common.bytes, mode: 0o600)
    let source = try FakeSource()
    defer { source.stop() }
    let fetched = try fetch(from: [source.address], into: folder)
    #expect(fetched.output == Sample.common.bytes)
    #expect(source.log.requests.isEmpty)
  }

  @Test func `verified chunks of a failed download are not fetched again`() throws {
    let folder = TemporaryFolder()
    var script = SourceScript()
    // Serves chunk 0, and lies for all others.
    script.onRequest = { peer, request, sample in
      if request.chunk == ChunkIndex(0) {
        try peer.send(each: sample.answer(request))
      } else {
        try peer.answerWrongly(request, from: sample)
      }
    }
    let liar = try FakeSource(script)
    let failed = try fetch(from: [liar.address], into: folder)
    liar.stop()
    guard case .everyPeerLied? = failed.failure else {
      Issue.record("\(failed.result)")
      return
    }
    let honest = try FakeSource()
    defer { honest.stop() }
    let fetched = try fetch(from: [honest.address], into: folder)
    #expect(fetched.output == Sample.common.bytes)
    #expect(!honest.log.requests.contains { $0.chunk == ChunkIndex(0) })
  }
}
