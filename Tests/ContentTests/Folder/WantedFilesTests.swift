// The leaves of the wanted files of a folder.
import Testing

@testable import Content

@Suite struct WantedFilesTests {
  private let layout: FolderLayout

  init() throws {
    let root = Digest(sha256: [1].span.bytes)
    let lengths: [(String, UInt64)] = [("a", 10), ("b", 40_000), ("c", 0), ("d", 3 << 20), ("e", 20)]
    let entries = lengths.map { path, length in
      FolderEntry(
        FolderPath(path),
        .file(FileContent(length: length, root: length == 0 ? .zero : root), isExecutable: false))
    }
    layout = try FolderLayout(try FolderListing(entries), root: root)
  }

  private func wanted(_ files: [Int]) -> [UInt64] {
    var set = EntrySet(entryCount: layout.listing.count)
    for file in files { set.insert(file) }
    let wanted = WantedLeaves(of: set, in: layout)
    let cut = ChunkLayout(layout)
    return (0..<UInt32(cut.chunkCount)).map { wanted.mask(of: ChunkIndex($0)) & cut.leaves(of: ChunkIndex($0)).mask }
  }

  @Test func `only the leaves of wanted files are wanted`() {
    // The shared chunk has the leaves of a, b (three) and e. Then come the three chunks of d.
    let all = UInt64.max
    #expect(wanted([0, 1, 2, 3, 4]) == [0b11111, all, all, all])
    #expect(wanted([1]) == [0b01110, 0, 0, 0])
    #expect(wanted([0, 4, 3]) == [0b10001, all, all, all])
    #expect(wanted([3]) == [0, all, all, all])
    #expect(wanted([]) == [0, 0, 0, 0])
    #expect(wanted([2]) == [0, 0, 0, 0])
  }

  @Test func `if every file is wanted, all leaves are wanted`() {
    #expect(WantedLeaves(of: EntrySet(entryCount: layout.listing.count, isFull: true), in: layout).isAll)
  }
}
