// Several downloads on one control thread. Each ends in its own way, and none waits for another.
import Content
import Foundation
import Posix
import TestSupport
import Testing
import Transfer
import Wire

@testable import PeerNode

@Suite struct ControlLoopTests {
  @Test func `downloads that share their threads end independently of one another`() throws {
    let (silentSample, goodSample) = (Sample("silent.bin", byteCount: 200_000, seed: 5), Sample.small)
    var silence = SourceScript(silentSample)
    silence.onRequest = { _, _, _ in }
    let sources = (
      streamed: try FakeSource(), silent: try FakeSource(silence), good: try FakeSource(SourceScript(goodSample))
    )
    defer {
      sources.streamed.stop()
      sources.silent.stop()
      sources.good.stop()
    }
    let shared = try SharedThreads()
    let pipe = Pipe()
    let stalled = try shared.start(
      Sample.common.fileID, from: [sources.streamed.address],
      to: .stream(to: pipe.fileHandleForWriting.fileDescriptor))
    let cancelled = try shared.start(silentSample.fileID, from: [sources.silent.address])
    #expect(cancelled.reaches { if case .prepared = $0 { true } else { false } })

    // One reader does not read, and one source does not answer. A third download is not affected.
    let finished = try shared.start(goodSample.fileID, from: [sources.good.address])
    #expect(try finished.ended().get().name == goodSample.name)
    #expect(finished.folder.read(goodSample.name) == goodSample.bytes)
    #expect(!stalled.isOver && !cancelled.isOver)

    // Messages for a download that has ended reach no other download.
    finished.link.cancel()
    finished.link.send(.writeFailed(.io(Errno(code: Errno.inputOutput, call: "pwrite"))))
    cancelled.link.cancel()
    guard case .failure(.failed(.cancelled, _, part: nil)) = cancelled.ended() else {
      Issue.record("\(cancelled.ended())")
      return
    }
    #expect(cancelled.folder.names.isEmpty, "a part file without data is not kept")
    #expect(!stalled.isOver)

    let bytes = try pipe.fileHandleForReading.read(upToCount: Sample.common.bytes.count)
    #expect(bytes.map { Array($0) } == Sample.common.bytes)
    #expect(try stalled.ended().get().path == nil)
  }

  @Test func `a stream that nobody reads can be cancelled while it stalls`() throws {
    let source = try FakeSource()
    defer { source.stop() }
    let shared = try SharedThreads()
    let pipe = Pipe()
    let stalled = try shared.start(
      Sample.common.fileID, from: [source.address], to: .stream(to: pipe.fileHandleForWriting.fileDescriptor))
    #expect(stalled.reaches { if case .report(.chunkDone(_, _, 4, _, _, _, _)) = $0 { true } else { false } })
    stalled.link.cancel()
    guard case .failure(.failed(.cancelled, _, _)) = stalled.ended() else {
      Issue.record("\(stalled.ended())")
      return
    }
    // The writer drops the remaining bytes and closes its descriptor as soon as possible.
    try pipe.fileHandleForWriting.close()
    let written = try pipe.fileHandleForReading.readToEnd()
    #expect(written.map { $0.count < Sample.common.bytes.count } ?? true)
  }

  @Test func `the number of threads does not grow with the number of downloads`() async {
    await #expect(processExitsWith: .success) {
      let samples = (0..<40).map { Sample("file-\($0).bin", byteCount: 90_000, seed: UInt64($0)) }
      let source = try ServedSamples(samples)
      let shared = try SharedThreads()
      func finish(_ count: Int) throws -> [String] {
        let started = try samples.prefix(count).map { try shared.start($0.fileID, from: [source.address]) }
        for (one, sample) in zip(started, samples) {
          _ = try one.ended().get()
          try #require(one.folder.read(sample.name) == sample.bytes)
        }
        return try downloadThreadNames()
      }
      _ = try finish(8)
      let few = try downloadThreadNames()
      // Their output exists already or is being written. Both need the disk.
      let many = try finish(40)
      try #require(few.count { $0 == "p2p-control" } == 1, "\(few)")
      try #require(many == few || Set(many).subtracting(few).allSatisfy { $0.hasPrefix("p2p-disk-") }, "\(many)")
      try #require(many.count { $0.hasPrefix("p2p-disk-") } <= DiskPool.threadsMax, "\(many)")
      await source.server.stop(grace: .zero)
    }
  }

  @Test func `hashing outputs for long does not keep other downloads from starting`() throws {
    let source = try FakeSource()
    defer { source.stop() }
    let shared = try SharedThreads()
    let gate = BlockingQueue<Void>()
    defer {
      gate.close()
      withExtendedLifetime(shared) {}
    }
    let disk = shared.node.context.threads.disk
    for _ in 0..<DiskPool.longJobsMax { disk.queue(isLong: true).run { _ = gate.take() } }
    // One output has a new name. The other replaces a file with another length.
    for name in ["new.bin", "old.bin"] {
      let folder = TemporaryFolder()
      folder.write("old.bin", [1, 2, 3])
      let started = try shared.start(
        Sample.common.fileID, from: [source.address],
        to: DownloadTarget(folder: folder.path, name: name, replaces: true))
      _ = try started.ended().get()
      #expect(folder.read(name) == Sample.common.bytes)
    }
  }
}
