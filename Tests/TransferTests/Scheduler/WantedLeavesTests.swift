// Only the wanted part of a content is fetched. The download ends when that part is there.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct WantedLeavesTests {
  private let layout = ChunkLayout(fileLength: 10 << 20)!

  /// Returns a table of 10 chunks whose hashes are known.
  private func table(_ wanted: WantedLeaves) -> ChunkTable {
    var table = ChunkTable(layout: layout, wanted: wanted)
    for chunk in 0..<10 as Range<UInt32> { table.list(ChunkIndex(chunk)) }
    return table
  }

  private var complete: RemoteAvailability { RemoteAvailability(isComplete: true, layout: layout) }

  @Test func `masks add up, and only chunks that differ are kept`() {
    var wanted = WantedLeaves.none
    #expect(!wanted.isAll && wanted.mask(of: ChunkIndex(3)) == 0)
    wanted.insert(0b1100, of: ChunkIndex(3))
    wanted.insert(0b0011, of: ChunkIndex(3))
    #expect(wanted.mask(of: ChunkIndex(3)) == 0b1111 && wanted.mask(of: ChunkIndex(4)) == 0)
    wanted.remove(.max, of: ChunkIndex(3))
    #expect(wanted == .none)
    var rest = WantedLeaves.all
    rest.remove(0b1, of: ChunkIndex(5))
    #expect(!rest.isAll && rest.mask(of: ChunkIndex(5)) == .max - 1 && rest.mask(of: ChunkIndex(6)) == .max)
    rest.insert(0b1, of: ChunkIndex(5))
    #expect(rest.isAll && rest == .all)
  }

  @Test func `a chunk is had once its wanted leaves are verified`() {
    var wanted = WantedLeaves.none
    wanted.insert(0b110011, of: ChunkIndex(4))
    var table = table(wanted)
    #expect(table.wantedCount == 1 && table.wantedBytes == 4 << 14 && table.unfinishedCount == 1)
    #expect(table.missingSpan(of: ChunkIndex(4)) == LeafRange(first: 0, count: 6))
    // A leaf that is not wanted does not count.
    #expect(table.verify(mask: LeafRange(first: 2, count: 2).mask, of: ChunkIndex(4)).isNowHad == false)
    #expect(table.missing(of: ChunkIndex(4)) == 0b110011)
    #expect(table.verify(mask: LeafRange(first: 0, count: 2).mask, of: ChunkIndex(4)).isNowHad == false)
    #expect(table.missingSpan(of: ChunkIndex(4)) == LeafRange(first: 4, count: 2))
    #expect(table.verify(mask: LeafRange(first: 4, count: 2).mask, of: ChunkIndex(4)) == (0b110000, true))
    #expect(table.isComplete && table.haveCount == 1)
  }

  @Test func `no chunk without a wanted leaf is chosen`() {
    var wanted = WantedLeaves.all
    for chunk in [0, 1, 2, 5, 9] as [UInt32] { wanted.remove(.max, of: ChunkIndex(chunk)) }
    var table = table(wanted)
    var order: [UInt32] = []
    while let chunk = table.choose(for: complete, below: 10) {
      order.append(chunk.rawValue)
      let asker = Asker(connection: ConnectionID(1), request: RequestID(1), leaves: layout.leaves(of: chunk))
      table.ask(chunk, asker)
    }
    #expect(order == [3, 4, 6, 7, 8] && table.unfinishedCount == 5 && table.wantedBytes == 5 << 20)
    #expect(table.verify(mask: LeafRange(first: 0, count: 64).mask, of: ChunkIndex(5)) == (0, false))
    #expect(table.state(of: ChunkIndex(5)) == .have && table.haveCount == 0)
  }

  @Test func `a peer that has only unwanted leaves has nothing to give`() {
    var wanted = WantedLeaves.none
    wanted.insert(0b1111, of: ChunkIndex(7))
    var table = table(wanted)
    var peer = RemoteAvailability(isComplete: false, layout: layout)
    _ = peer.add(LeafRun(chunk: ChunkIndex(3), leaves: layout.leaves(of: ChunkIndex(3))), layout: layout)
    _ = peer.add(LeafRun(chunk: ChunkIndex(7), leaves: LeafRange(first: 4, count: 60)), layout: layout)
    #expect(!table.wantsAny(of: peer, below: 10) && table.choose(for: peer, below: 10) == nil)
    _ = peer.add(LeafRun(chunk: ChunkIndex(7), leaves: LeafRange(first: 3, count: 1)), layout: layout)
    #expect(table.wantsAny(of: peer, below: 10) && table.choose(for: peer, below: 10) == ChunkIndex(7))
  }

  // MARK: Downloads

  private func settings(_ wanted: WantedLeaves, chunksPerPage: Int = 1024) -> DownloadSettings {
    var settings = DownloadSettings()
    (settings.wanted, settings.chunksPerPage) = (wanted, chunksPerPage)
    return settings
  }

  @Test func `only wanted leaves, and pages of wanted chunks, are requested`() {
    var wanted = WantedLeaves.none
    for chunk in [3, 14, 15] as [UInt32] { wanted.insert(.max, of: ChunkIndex(chunk)) }
    wanted.insert(0b11 << 20 | 0b1111 << 40, of: ChunkIndex(17))
    var swarm = Swarm(
      [VirtualPeer(), VirtualPeer()], layout: ChunkLayout(fileLength: 40 << 20)!,
      settings: settings(wanted, chunksPerPage: 4))
    swarm.run()
    #expect(swarm.finished?.totalChunks == 4 && swarm.finished?.downloadedChunks == 4 && swarm.faults.isEmpty)
    let wantedBytes: UInt64 = 3 << 20 + 6 << 14
    #expect(swarm.finished?.bytes == wantedBytes)
    for (chunk, leaves) in swarm.written { #expect(leaves & ~wanted.mask(of: chunk) == 0, "chunk \(chunk.rawValue)") }
    let pages = swarm.log.compactMap { if case .fetchPage(let page, _) = $0.action { page.rawValue } else { nil } }
    #expect(Set(pages) == [0, 3, 4])
    var reported = 0
    for case .chunkDone(_, _, _, let total, _, _, let bytes) in swarm.reports {
      #expect(total == 4)
      reported += bytes
    }
    #expect(UInt64(reported) == wantedBytes, "the reports count wanted bytes")
  }

  @Test func `bytes found on the disk are not reported as fetched`() {
    var wanted = WantedLeaves.none
    wanted.insert(0b1111, of: ChunkIndex(2))
    var swarm = Swarm([VirtualPeer()], layout: layout, settings: settings(wanted))
    // Leaf 1 is wanted, leaves 8 to 15 are not.
    swarm.resumable.leaves = [(ChunkIndex(2), 0xff02)]
    swarm.run()
    #expect(swarm.finished?.bytes == 3 << 14)
    var reported: [Int] = []
    for case .chunkDone(_, _, _, _, _, _, let bytes) in swarm.reports { reported.append(bytes) }
    #expect(reported == [3 << 14])
  }

  @Test func `if nothing is wanted, the download ends at once`() {
    var swarm = Swarm([VirtualPeer()], layout: layout, settings: settings(.none))
    swarm.run()
    #expect(swarm.finished?.totalChunks == 0 && swarm.finished?.bytes == 0 && swarm.faults.isEmpty)
    let asked = swarm.times {
      switch $0 {
      case .fetchPage, .request: true
      default: false
      }
    }
    #expect(asked.isEmpty && swarm.now < .seconds(1))
  }

  @Test func `a wanted chunk on the disk is not fetched`() {
    var wanted = WantedLeaves.none
    wanted.insert(.max, of: ChunkIndex(1))
    wanted.insert(.max, of: ChunkIndex(2))
    var swarm = Swarm([VirtualPeer()], layout: layout, settings: settings(wanted))
    swarm.resumable.leaves = [(ChunkIndex(2), .max), (ChunkIndex(5), .max)]
    swarm.run()
    #expect(swarm.finished?.resumedChunks == 1 && swarm.finished?.downloadedChunks == 1)
    #expect(swarm.written.keys.map(\.rawValue) == [1])
  }

  @Test func `hedges may cost 5 percent of the wanted bytes`() {
    for (count, fits) in [(10, false), (19, false), (20, true), (100, true)] {
      var wanted = WantedLeaves.none
      for chunk in 0..<UInt32(count) { wanted.insert(.max, of: ChunkIndex(chunk)) }
      let layout = ChunkLayout(fileLength: 100 << 20)!
      var state = DownloadState(settings: settings(wanted), generator: SeededGenerator(seed: 1), at: .zero)
      state.handle(.foundHere(layout), at: .zero)
      state.handle(.storageReady(Resumable()), at: .zero)
      state.hedging.measured(.seconds(1), byteCount: layout.chunkSize)
      #expect(state.fitsBudget(layout.leaves(of: ChunkIndex(0)), of: ChunkIndex(0)) == fits, "\(count) wanted chunks")
      #expect(state.fitsBudget(LeafRange(first: 0, count: 32), of: ChunkIndex(0)) == (count >= 10))
    }
  }
}
