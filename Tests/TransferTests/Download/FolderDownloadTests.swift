// Downloads of a folder's contents: shared chunks need no page, and sizes count in bytes.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct FolderDownloadTests {
  private func pages(_ swarm: Swarm) -> [UInt32] {
    swarm.log.compactMap { if case .fetchPage(let page, _) = $0.action { page.rawValue } else { nil } }
  }

  private func requested(_ swarm: Swarm) -> [UInt32] {
    swarm.log.compactMap { if case .request(_, _, let chunk, _, _) = $0.action { chunk.rawValue } else { nil } }
  }

  @Test func `a folder of small files needs no page`() throws {
    // Three files of 21 leaves in each chunk.
    let layout = ChunkLayout(try someFolder(Array(repeating: 21 << 14, count: 90)))
    var swarm = Swarm([VirtualPeer(), VirtualPeer()], layout: layout)
    swarm.run()
    #expect(layout.chunkCount == 30 && swarm.finished?.downloadedChunks == 30 && swarm.isWhole)
    #expect(pages(swarm).isEmpty && swarm.faults.isEmpty)
  }

  @Test func `pages are requested for larger files only, beside the shared chunks`() throws {
    let lengths = [5, 3 << 20, 70_000, 0, 4 << 20 + 1, 300_000, 9]
    let layout = ChunkLayout(try someFolder(lengths, chunksPerPage: 4))
    var settings = DownloadSettings()
    settings.chunksPerPage = 4
    var swarm = Swarm([VirtualPeer(latency: .milliseconds(200))], layout: layout, settings: settings)
    swarm.run()
    #expect(layout.chunkCount == 9 && swarm.finished?.downloadedChunks == 9 && swarm.isWhole)
    // The file of 3 chunks has one page, the file of 5 chunks has two.
    #expect(Set(pages(swarm)) == [0, 1, 2] && swarm.faults.isEmpty)
    #expect(requested(swarm).first == 0)
    let isRequest: (DownloadAction) -> Bool = { if case .request = $0 { true } else { false } }
    // The shared chunk is requested before the first page can arrive.
    #expect(swarm.times(of: isRequest)[0] < swarm.times(of: isRequest)[1])
  }

  @Test func `shared chunks are requested only after they were compared with the disk`() throws {
    let layout = ChunkLayout(try someFolder([5, 70_000, 300_000]))
    var swarm = Swarm([VirtualPeer()], layout: layout)
    swarm.resumable.holdsSharedChunks = true
    swarm.run(until: .seconds(20))
    #expect(requested(swarm).isEmpty && !swarm.state.isEnded)
    swarm.handle(.resumed([(chunk: ChunkIndex(0), mask: UInt64(1))]))
    swarm.handle(.sharedChunksCompared)
    swarm.resume(until: .seconds(60))
    #expect(swarm.finished?.downloadedChunks == 1 && swarm.finished?.bytes == 370_000)
    let leaves = swarm.log.compactMap { if case .request(_, _, _, let leaves, _) = $0.action { leaves } else { nil } }
    #expect(leaves == [LeafRange(first: 1, count: layout.leafCount(of: ChunkIndex(0)) - 1)])
  }

  @Test func `a download whose shared chunks take long to compare does not give up`() throws {
    let layout = ChunkLayout(try someFolder([5, 70_000]))
    var swarm = Swarm([VirtualPeer()], layout: layout)
    swarm.resumable.holdsSharedChunks = true
    swarm.run(until: .seconds(1800))
    #expect(!swarm.state.isEnded)
    swarm.handle(.sharedChunksCompared)
    swarm.resume(until: .seconds(1900))
    #expect(swarm.finished != nil)
  }

  @Test func `the pipeline of small chunks is as deep as the protocol allows`() throws {
    // Chunks of four one-byte files. If chunks were counted, 16 in flight would be only 64 bytes.
    let folder = try someFolder(Array(repeating: 1, count: 4000), chunkSize: 4 << 14, leafSize: 1 << 14)
    var swarm = Swarm([VirtualPeer(latency: .milliseconds(50))], layout: ChunkLayout(folder))
    swarm.run()
    #expect(swarm.finished?.downloadedChunks == 1000 && swarm.faults.isEmpty)
    #expect(swarm.deepest.values.max() == ProtocolLimits.requestsInFlightMax)
    // One round trip for each chunk would take 50 s.
    #expect(swarm.now < .seconds(5))
  }

  @Test func `the pipeline of large chunks holds two seconds of bytes`() throws {
    // Each file is alone in its chunk: 33 leaves, 528 KiB. A peer with 1 MiB/s has four of them in flight.
    let folder = try someFolder(Array(repeating: 33 << 14, count: 60))
    var swarm = Swarm([VirtualPeer(bytesPerSecond: 1_048_576)], layout: ChunkLayout(folder))
    swarm.run()
    #expect(swarm.finished?.downloadedChunks == 60 && swarm.faults.isEmpty)
    #expect(swarm.deepest.values.max() == 4)
  }

  @Test func `the time after which a chunk is late grows with its size`() throws {
    var estimate = TurnaroundEstimate()
    #expect(estimate.threshold(byteCount: 1000) == nil)
    for _ in 0..<10 { estimate.add(.seconds(1), byteCount: 1000) }
    #expect(estimate.threshold(byteCount: 1000) == .seconds(2))
    #expect(estimate.threshold(byteCount: 4000) == .seconds(8))
    #expect(estimate.threshold(byteCount: 250) == .seconds(2), "a small chunk may still take a round trip")
  }

  @Test func `progress of an answer with small leaves is counted in bytes`() throws {
    // One leaf of 16 KiB and 63 leaves of one byte: two of these leaves are less than 1/32 of the bytes.
    let layout = ChunkLayout(try someFolder([1 << 14] + Array(repeating: 1, count: 63)))
    var state = DownloadState(settings: DownloadSettings(), generator: SeededGenerator(seed: 1), at: .zero)
    state.handle(.foundHere(layout), at: .zero)
    state.handle(.storageReady(Resumable()), at: .zero)
    var pending = PendingRequest(
      id: RequestID(1), chunk: ChunkIndex(0), leaves: LeafRange(first: 0, count: 64), worker: 0, sent: .zero,
      isHedge: false)
    _ = pending.add(LeafRange(first: 62, count: 2), writing: .zero)
    #expect(state.arrived(of: pending) == 2)
    #expect(state.countedBytes(of: pending.leaves, in: pending.chunk) == 1 << 14 + 63)
    _ = pending.add(LeafRange(first: 0, count: 1), writing: .zero)
    #expect(state.arrived(of: pending) == 1 << 14 + 2)
  }
}
