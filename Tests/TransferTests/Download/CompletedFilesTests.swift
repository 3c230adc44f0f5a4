// A download of a folder reports each file once, when the whole file is there.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct CompletedFilesTests {
  /// The reports of completed files, in order: the numbers of their entries.
  private func reports(_ swarm: Swarm) -> [[UInt32]] {
    swarm.log.compactMap { if case .filesCompleted(let entries) = $0.action { entries } else { nil } }
  }

  @Test func `each file with bytes is reported once and counted`() throws {
    let lengths = [5, 3 << 20, 70_000, 0, 4 << 20 + 1, 300_000, 9]
    var swarm = Swarm([VirtualPeer(), VirtualPeer()], layout: ChunkLayout(try someFolder(lengths)))
    swarm.run()
    #expect(swarm.finished != nil && swarm.faults.isEmpty)
    #expect(reports(swarm).flatMap { $0 }.sorted() == [0, 1, 2, 4, 5, 6])
    let folder = try #require(swarm.state.progress(at: swarm.now).folder)
    #expect(folder.completeFiles == 6 && folder.totalFiles == 6)
    #expect(folder.totalBytes == UInt64(lengths.reduce(0, +)))
  }

  @Test func `files that an earlier download completed are reported together, before the others`() throws {
    // Two chunks with 40 files each, and a larger file.
    let layout = ChunkLayout(try someFolder(Array(repeating: 16_384, count: 80) + [2 << 20]))
    var swarm = Swarm([VirtualPeer()], layout: layout)
    swarm.resumable.leaves = [
      (chunk: ChunkIndex(0), mask: .max), (chunk: ChunkIndex(1), mask: 0b101), (chunk: ChunkIndex(2), mask: .max),
    ]
    swarm.run()
    let reports = reports(swarm)
    #expect(reports.first == Array(0..<64) + [64, 66])
    #expect(reports.flatMap { $0 }.sorted() == Array(0..<81) && swarm.faults.isEmpty)
    // The second chunk of the large file completes it.
    #expect(reports.dropFirst().joined().contains(80))
  }

  @Test func `only files with wanted leaves are reported, even if others become complete with them`() throws {
    let folder = try someFolder([5, 70_000, 300_000, 9, 2 << 20])
    var wanted = EntrySet(entryCount: 5)
    for entry in [0, 2] { wanted.insert(entry) }
    var settings = DownloadSettings()
    settings.wanted = WantedLeaves(of: wanted, in: folder)
    var swarm = Swarm([VirtualPeer()], layout: ChunkLayout(folder), settings: settings)
    swarm.run()
    #expect(swarm.finished != nil && swarm.faults.isEmpty)
    #expect(reports(swarm).flatMap { $0 }.sorted() == [0, 2])
    #expect(swarm.state.progress(at: swarm.now).folder?.totalBytes == 300_005)
  }

  @Test func `a download of a single file reports no files`() {
    var swarm = Swarm([VirtualPeer()], layout: ChunkLayout(fileLength: 3 << 20)!)
    swarm.run()
    #expect(swarm.finished != nil && reports(swarm).isEmpty && swarm.state.progress(at: swarm.now).folder == nil)
  }
}
