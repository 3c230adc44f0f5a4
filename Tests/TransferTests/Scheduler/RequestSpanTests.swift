// A request spans small gaps of leaves that are not needed. What arrives in a gap is dropped.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct RequestSpanTests {
  private let layout = ChunkLayout(fileLength: (3 << 20) + (10 << 14) + 100)!
  private let first = ChunkIndex(0)

  private func span(_ needed: UInt64, _ available: UInt64 = .max, of chunk: ChunkIndex? = nil) -> Range<Int>? {
    layout.requestSpan(needed: needed, available: available, of: chunk ?? first).map { $0.first..<$0.end }
  }

  @Test func `leaves without a gap are requested together`() {
    #expect(span(0) == nil && span(0b1, 0b10) == nil)
    #expect(span(.max) == 0..<64)
    #expect(span(0b1) == 0..<1 && span(1 << 63) == 63..<64)
    #expect(span(0b111 << 7) == 7..<10)
    #expect(span(0b111 << 61) == 61..<64)
  }

  @Test func `a request spans a gap if at least half of its bytes are needed`() {
    #expect(span(0b101) == 0..<3)
    #expect(span(0b1001) == 0..<4, "exactly half")
    #expect(span(0b10001) == 0..<1)
    #expect(span(0b11_0011_0000) == 4..<10)
    #expect(span(0x5555_5555_5555_5555) == 0..<63)
    #expect(span(1 | 1 << 63) == 0..<1)
    #expect(span(.max >> 32 | 1 << 63) == 0..<64, "33 of 64")
  }

  @Test func `if the whole span needs too few bytes, its longest good part is requested`() {
    // Of leaves 0..<10 four are needed, of 0..<6 three.
    #expect(span(0b10_0010_0101) == 0..<6)
    // A needed leaf can make up for a gap before it.
    #expect(span(0b1111_0001) == 0..<8)
  }

  @Test func `a request has no leaf that the peer lacks`() {
    #expect(span(0b10101, 0b11011) == 0..<1)
    #expect(span(0b10101, 0b11110) == 2..<5)
    #expect(span(.max, 0b1110) == 1..<4)
  }

  @Test func `the short last leaf counts by its bytes`() {
    let last = ChunkIndex(3)
    // Chunk `last` ends with leaves 8 to 10: 16 KiB, 16 KiB and 100 bytes.
    #expect(span(1 << 8 | 1 << 10, of: last) == 8..<11)
    #expect(span(1 << 7 | 1 << 10, of: last) == 7..<8, "a leaf and 100 bytes of three leaves")
  }

  @Test func `leaves of a shared chunk count by their bytes`() throws {
    let root = Digest(sha256: [1].span.bytes)
    let entries = [100, 5_000, 40, 5_000, 5_000].enumerated().map { place, length in
      FolderEntry(
        FolderPath("f\(place)"), .file(FileContent(length: UInt64(length), root: root), isExecutable: false))
    }
    let folder = ChunkLayout(try FolderLayout(try FolderListing(entries), root: root))
    // A gap of 5,000 bytes is too long for 140 needed bytes, but not for 5,100.
    #expect(folder.requestSpan(needed: 0b101, of: first) == LeafRange(first: 0, count: 1))
    #expect(folder.requestSpan(needed: 0b1101, of: first) == LeafRange(first: 0, count: 4))
    #expect(folder.requestSpan(needed: 0b11010, of: first) == LeafRange(first: 1, count: 4))
  }

  // MARK: What comes in a gap

  @Test func `the needed parts of a piece are those with needed leaves`() {
    func piece(_ needed: UInt64) -> [FetchedPiece.Part] {
      FetchedPiece(
        handle: FileHandle(1), request: RequestID(1), chunk: ChunkIndex(3), leaves: LeafRange(first: 7, count: 4),
        needed: needed, leafHashes: [], layout: layout, fileOffset: layout.offset(ofLeaf: 7, in: ChunkIndex(3)),
        byteCount: (3 << 14) + 100, isFirstOfAnswer: true, isLastOfAnswer: true, chunkLeafHashes: nil
      ).neededParts
    }
    let start: UInt64 = 3 << 20 + 7 << 14
    #expect(piece(0b1111 << 7) == [FetchedPiece.Part(bytes: 0..<(3 << 14) + 100, fileOffset: start)])
    #expect(
      piece(0b1001 << 7) == [
        FetchedPiece.Part(bytes: 0..<1 << 14, fileOffset: start),
        FetchedPiece.Part(bytes: 3 << 14..<(3 << 14) + 100, fileOffset: start + 3 << 14),
      ])
    #expect(piece(0).isEmpty)
  }

  @Test func `a download requests wanted leaves and gaps at once, and keeps nothing of the gaps`() {
    var settings = DownloadSettings()
    settings.wanted = .none
    settings.wanted.insert(0x5555_5555_5555_5557, of: ChunkIndex(1))
    settings.wanted.insert(0b1 | 0b1 << 40, of: ChunkIndex(2))
    var swarm = Swarm([VirtualPeer()], layout: layout, settings: settings)
    // A verified leaf lies in the middle of chunk 1. It is not written again.
    swarm.resumable.leaves = [(ChunkIndex(1), 1 << 20)]
    swarm.run()
    let asked = swarm.log.compactMap {
      if case .request(_, _, let chunk, let leaves, let needed) = $0.action { (chunk, leaves, needed) } else { nil }
    }
    #expect(asked.count == 3 && swarm.faults.isEmpty, "\(asked)")
    #expect(asked.contains { $0 == (ChunkIndex(1), LeafRange(first: 0, count: 63), 0x5555_5555_5545_5557) })
    #expect(swarm.written == [ChunkIndex(1): 0x5555_5555_5545_5557, ChunkIndex(2): 1 | 1 << 40])
    let stats = swarm.finished
    #expect(stats?.bytes == 34 << 14 && stats?.gapBytes == 31 << 14 && stats?.duplicateBytes == 0)
    #expect(stats?.peers.map(\.bytes) == [34 << 14] && stats?.downloadedChunks == 2)
  }

  @Test func `leaves of a gap do not complete a chunk, and are requested if they are wanted later`() {
    var table = ChunkTable(layout: layout)
    table.list(first)
    #expect(table.verify(mask: .max >> 1 & ~2, of: first) == (.max >> 1 & ~2, false))
    #expect(table.missing(of: first) == (1 << 63 | 2) as UInt64)
    #expect(table.missingSpan(of: first) == LeafRange(first: 1, count: 1))
  }
}
