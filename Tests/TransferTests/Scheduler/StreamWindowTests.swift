// A stream runs ahead of its reader by as many wanted bytes as its window holds, wherever they are.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct StreamWindowTests {
  private func table(_ chunks: Int, wanted: WantedLeaves = .all) -> ChunkTable {
    ChunkTable(layout: ChunkLayout(fileLength: UInt64(chunks) << 20)!, wanted: wanted, isInOrder: true)
  }

  /// All leaves of some chunks.
  private func wanted(_ chunks: some Sequence<Int>) -> WantedLeaves {
    var wanted = WantedLeaves.none
    for chunk in chunks { wanted.insert(.max, of: ChunkIndex(UInt32(chunk))) }
    return wanted
  }

  @Test func `a window moves with its reader and never back`() {
    let table = table(20)
    var window = StreamWindow(chunkCount: 4, of: table)
    var ends = [window.end]
    for taken in [1, 0, 3, 3, 9, 17, 20, 99] as [UInt32] {
      window.move(to: ChunkIndex(taken), of: table)
      ends.append(window.end)
    }
    #expect(ends == [4, 5, 5, 7, 7, 13, 20, 20, 20])
  }

  @Test func `chunks that are not wanted take no room in the window`() {
    let table = table(100, wanted: wanted(stride(from: 30, to: 100, by: 10)))
    var window = StreamWindow(chunkCount: 2, of: table)
    #expect(window.end == 50)
    window.move(to: ChunkIndex(40), of: table)
    #expect(window.end == 60)
    // The stream reports where the next wanted chunk begins, or where the one before it ends.
    window.move(to: ChunkIndex(41), of: table)
    #expect(window.end == 70)
    window.move(to: ChunkIndex(90), of: table)
    #expect(window.end == 100)
  }

  @Test func `a window counts the wanted leaves of a chunk`() {
    var wanted = WantedLeaves.none
    for chunk in 0..<100 as Range<UInt32> { wanted.insert(0b1111, of: ChunkIndex(chunk)) }
    let table = table(100, wanted: wanted)
    var window = StreamWindow(chunkCount: 1, of: table)
    #expect(window.end == 16)
    window.move(to: ChunkIndex(20), of: table)
    #expect(window.end == 36)
  }

  @Test func `a stream of a part requests only that part, and only within its window`() {
    var settings = DownloadSettings()
    settings.order = .inOrder(windowChunks: 4)
    settings.wanted = wanted(stride(from: 10, to: 60, by: 3))
    let layout = ChunkLayout(fileLength: 60 << 20)!
    let peers = [VirtualPeer(), .slow(1_048_576), VirtualPeer()]
    let asked = { (swarm: Swarm) in
      Set(
        swarm.log.compactMap { record -> UInt32? in
          if case .request(_, _, let chunk, _, _) = record.action { chunk.rawValue } else { nil }
        })
    }
    var waiting = Swarm(peers, layout: layout, settings: settings)
    waiting.run(until: .seconds(5))
    #expect(asked(waiting) == [10, 13, 16, 19] && !waiting.state.isEnded)
    var read = Swarm(peers, layout: layout, settings: settings)
    read.consumes = true
    read.run()
    #expect(asked(read) == Set(stride(from: 10, to: 60, by: 3).map(UInt32.init)))
    #expect(read.finished?.bytes == 17 << 20 && read.finished?.gapBytes == 0 && read.faults.isEmpty)
  }
}
