// The tree compared with a second implementation and with published values, and fed in all ways.
import Testing

@testable import Content

@Suite struct MerkleTreeTests {
  @Test func `files of up to nine chunks have the root and chunk hashes of the reference`() throws {
    for (leafSize, leavesPerChunk) in [(1, 1), (3, 1), (2, 2), (3, 4), (1, 8), (4, 16), (1, 64)] {
      let chunkSize = leafSize * leavesPerChunk
      for size in 0...(9 * chunkSize + 1) where chunkSize < 48 || size % 7 < 2 || size % chunkSize < 2 {
        let bytes = someBytes(size)
        let (file, chunks) = try hash(bytes, piece: 5, chunkSize: chunkSize, leafSize: leafSize)
        let expected = ReferenceTree.chunkHashes(of: bytes, leafSize: leafSize, leavesPerChunk: leavesPerChunk)
        #expect(file.root.bytes == ReferenceTree.root(of: bytes, leafSize: leafSize), "\(size) B, leaf \(leafSize) B")
        #expect(file.chunkHashes.map(\.bytes) == expected, "\(size) B, leaf \(leafSize) B")
        #expect(chunks.map(\.hash) == file.chunkHashes)
        #expect(file.length == UInt64(size))
      }
    }
  }

  @Test(arguments: [0, 1, 16383, 16384, 16385, 65536, 1 << 20, (1 << 20) + 1, 3 << 20, (5 << 20) - 17])
  func `a file of wire sizes has the root of the reference`(size: Int) throws {
    let bytes = someBytes(size)
    let file = try hash(bytes, piece: 64 << 10).file
    #expect(file.root.bytes == ReferenceTree.root(of: bytes, leafSize: 16384))
    #expect(file.layout.chunkCount == file.chunkHashes.count)
  }

  @Test func `the hashes are the same however the bytes are split into pieces`() throws {
    let bytes = someBytes(3 * 64 + 21)
    let whole = try hash(bytes, piece: bytes.count, chunkSize: 64, leafSize: 16)
    for piece in 1..<bytes.count {
      let split = try hash(bytes, piece: piece, chunkSize: 64, leafSize: 16)
      #expect(split.file == whole.file && split.chunks == whole.chunks, "pieces of \(piece) B")
    }
  }

  @Test func `feeding the last byte of a chunk returns the chunk with its leaf hashes`() throws {
    let bytes = someBytes(64 + 33)
    var state = FileHashState(chunkSize: 64, leafSize: 16)
    let none = try state.feed(bytes.span.bytes.extracting(0..<63))
    #expect(none.isEmpty)
    let first = try state.feed(bytes.span.bytes.extracting(63..<64))
    #expect(first.map(\.index) == [ChunkIndex(0)])
    let leafHashes = MerkleTree.leafHashes(bytes.span.bytes.extracting(0..<64), leafSize: 16)
    #expect(first.first?.leafHashes == leafHashes)
    let more = try state.feed(bytes.span.bytes.extracting(64..<97))
    #expect(more.isEmpty && state.length == 97)
    let (file, last) = state.finish()
    #expect(last?.index == ChunkIndex(1) && last?.leafHashes.count == 3)
    #expect(last?.hash == MerkleTree.chunkHash(last?.leafHashes ?? [], in: file.layout))
  }

  @Test func `a file that ends with a full chunk has no chunk left at the end`() throws {
    let bytes = someBytes(128)
    var state = FileHashState(chunkSize: 64, leafSize: 16)
    let chunks = try state.feed(bytes.span.bytes)
    #expect(chunks.map(\.index) == [ChunkIndex(0), ChunkIndex(1)])
    #expect(state.finish().lastChunk == nil)
  }

  @Test func `a file of too many chunks is refused, and the chunks fed before stay`() throws {
    var state = FileHashState(chunkSize: 1, leafSize: 1)
    let most = [UInt8](repeating: 7, count: ChunkLayout.chunkCountMax)
    let chunks = try state.feed(most.span.bytes)
    #expect(chunks.count == ChunkLayout.chunkCountMax)
    let onePlus: [UInt8] = [7]
    #expect(throws: FileHashFault.tooLong) { try state.feed(onePlus.span.bytes) }
    let file = state.finish().file
    // All chunks are equal, so each level has only one hash.
    var row = ReferenceTree.sha256([7])
    for _ in 0..<22 { row = ReferenceTree.sha256(row + row) }
    #expect(file.root.bytes == row)
    #expect(file.layout.chunkCount == ChunkLayout.chunkCountMax)
  }

  @Test func `an empty file has the zero root and no chunks`() throws {
    let (file, chunks) = try hash([], piece: 1)
    #expect(file.root == .zero && file.chunkHashes.isEmpty && chunks.isEmpty)
  }

  @Test func `SHA-256 and padding have their published values`() {
    // The example of FIPS 180-4, and the hash of 64 zero bytes.
    #expect(
      sha256(Array("abc".utf8)).hex
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      MerkleTree.padding(level: 1).hex == "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b")
    #expect(MerkleTree.padding(level: 0) == .zero)
    #expect(MerkleTree.levelMax == 28)
    let two = MerkleTree.padding(level: 2)
    #expect(MerkleTree.padding(level: 3) == MerkleTree.node(two, two))
    #expect(MerkleTree.node(over: [], level: 1, width: 4) == MerkleTree.padding(level: 3))
  }
}
