// The chunks and leaves of a file cover it exactly, at each length.
import Testing

@testable import Content

@Suite struct ChunkLayoutTests {
  @Test func `chunks and leaves cover a file without gap or overlap`() throws {
    for length in 0...200 as ClosedRange<UInt64> {
      let layout = try #require(ChunkLayout(fileLength: length, chunkSize: 24, leafSize: 3))
      var end: UInt64 = 0
      for chunk in (0..<layout.chunkCount).map({ ChunkIndex(UInt32($0)) }) {
        #expect(layout.offset(of: chunk) == end && layout.contains(chunk))
        for leaf in 0..<layout.leafCount(of: chunk) {
          #expect(layout.offset(ofLeaf: leaf, in: chunk) == end)
          end += UInt64(layout.length(of: LeafRange(first: leaf, count: 1), in: chunk))
        }
        #expect(layout.length(of: layout.leaves(of: chunk), in: chunk) == layout.length(of: chunk))
      }
      #expect(end == length)
      #expect(!layout.contains(ChunkIndex(UInt32(layout.chunkCount))))
    }
  }

  @Test func `a layout takes a file of the most chunks and refuses one byte more`() throws {
    #expect(try #require(ChunkLayout(fileLength: 1 << 42)).chunkCount == ChunkLayout.chunkCountMax)
    #expect(ChunkLayout(fileLength: (1 << 42) + 1) == nil && ChunkLayout(fileLength: .max) == nil)
  }

  @Test func `the mask of a leaf range has one bit per leaf`() {
    #expect(LeafRange(first: 0, count: 64).mask == .max)
    #expect(LeafRange(first: 63, count: 1).mask == 1 << 63)
    #expect(LeafRange(first: 4, count: 4).mask == 0xF0)
    for first in 0..<64 {
      for count in 1...64 - first { #expect(LeafRange(first: first, count: count).mask.nonzeroBitCount == count) }
    }
  }
}
