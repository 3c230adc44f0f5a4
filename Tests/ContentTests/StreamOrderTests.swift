// The wanted leaves of a content go out in order, each once.
import Testing

@testable import Content

@Suite struct StreamOrderTests {
  /// Six chunks of four leaves; the last leaf is short.
  private let layout = ChunkLayout(fileLength: 23 * 10 + 3, chunkSize: 40, leafSize: 10)!

  /// Puts leaves of a chunk. Returns the numbers, in the content, of the leaves that go out now.
  private func put(_ leaves: Range<Int>, of chunk: UInt32, into order: inout StreamOrder) -> [UInt64] {
    let chunk = ChunkIndex(chunk)
    let run = LeafRange(first: leaves.lowerBound, count: leaves.count)
    let offset = layout.offset(ofLeaf: leaves.lowerBound, in: chunk)
    let leaving = order.put(layout.length(of: run, in: chunk), at: offset) { range in
      range.map { UInt8((offset + UInt64($0)) % 251) }
    }
    for leaf in leaving {
      #expect(leaf.bytes == (0..<UInt64(leaf.bytes.count)).map { UInt8((leaf.offset + $0) % 251) })
      #expect(leaf.next > leaf.offset)
    }
    return leaving.map { $0.offset / 10 }
  }

  @Test func `leaves wait for the leaves before them, and a leaf that arrives twice leaves once`() {
    var order = StreamOrder(layout)
    #expect(put(0..<4, of: 1, into: &order) == [] && order.next == 0)
    #expect(put(1..<3, of: 0, into: &order) == [])
    #expect(put(0..<2, of: 0, into: &order) == [0, 1, 2] && order.next == 30)
    #expect(put(0..<4, of: 0, into: &order) == [3, 4, 5, 6, 7] && order.next == 80)
    #expect(put(0..<4, of: 1, into: &order) == [] && order.next == 80)
  }

  @Test func `no leaf waits for a leaf that is not wanted`() {
    var wanted = WantedLeaves.none
    for (chunk, mask) in [(1, 0b0110), (2, 0b1000), (5, 0b1001)] as [(UInt32, UInt64)] {
      wanted.insert(mask, of: ChunkIndex(chunk))
    }
    var order = StreamOrder(layout, wanted: wanted)
    #expect(order.next == 50)
    #expect(put(3..<4, of: 2, into: &order) == [] && order.next == 50)
    #expect(put(1..<3, of: 1, into: &order) == [5, 6, 11] && order.next == 200)
    #expect(put(0..<1, of: 5, into: &order) == [20] && order.next == 230)
    #expect(put(3..<4, of: 5, into: &order) == [23] && order.next == layout.fileLength)
  }

  @Test func `a leaf that is not wanted never leaves`() {
    var wanted = WantedLeaves.all
    wanted.remove(0b1101, of: ChunkIndex(0))
    wanted.remove(.max, of: ChunkIndex(5))
    var order = StreamOrder(layout, wanted: wanted)
    #expect(order.next == 10)
    #expect(put(0..<4, of: 0, into: &order) == [1] && order.next == 40)
    #expect(put(0..<4, of: 5, into: &order) == [])
    for chunk in 1..<4 as Range<UInt32> { #expect(put(0..<4, of: chunk, into: &order).count == 4) }
    #expect(put(0..<4, of: 4, into: &order) == [16, 17, 18, 19] && order.next == layout.fileLength)
    #expect(put(0..<4, of: 5, into: &order) == [])
  }

  @Test func `if nothing is wanted, the order is complete from the start`() {
    var order = StreamOrder(layout, wanted: .none)
    #expect(order.next == layout.fileLength && put(0..<4, of: 0, into: &order) == [])
    #expect(StreamOrder(.ofEmptyFile).next == 0 && StreamOrder(.ofEmptyFile, wanted: .none).next == 0)
  }

  @Test func `files that share a chunk leave in order, each with its short last leaf`() throws {
    let lengths: [UInt64] = [7, 25, 10, 1, 90]
    let entries = lengths.enumerated().map { number, length in
      FolderEntry(
        FolderPath("\(number)"),
        .file(FileContent(length: length, root: Digest(sha256: [UInt8(number)].span.bytes)), isExecutable: false))
    }
    let folder = try FolderLayout(
      try FolderListing(entries), root: .zero, chunkSize: 80, leafSize: 10, chunksPerPage: 4)
    var files = EntrySet(entryCount: lengths.count)
    for entry in [1, 3, 4] { files.insert(entry) }
    var order = StreamOrder(ChunkLayout(folder), wanted: WantedLeaves(of: files, in: folder))
    #expect(order.next == 7)
    let bytes = { (range: Range<Int>) in [UInt8](repeating: 1, count: range.count) }
    // The large file comes first. Then the small ones come in one piece, with an unwanted leaf between them.
    #expect(order.put(90, at: 43, copy: bytes).isEmpty)
    let leaving = order.put(36, at: 7, copy: bytes)
    #expect(leaving.map(\.offset) == [7, 17, 27, 42] + stride(from: 43, to: 133, by: 10))
    #expect(leaving.map(\.next) == leaving.dropFirst().map(\.offset) + [133])
    #expect(leaving[2].bytes.count == 5 && leaving[3].bytes.count == 1)
  }
}
