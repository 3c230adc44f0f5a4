// The implementation compared with `Protocol/vectors/content.txt` and `page.txt`, which an independent program wrote.
import Testing

@testable import Content

@Suite(.enabled(if: Vectors.arePresent, "needs Protocol/vectors"))
struct ProtocolVectorTests {
  @Test func `files have the published chunk hashes, roots and fileIDs`() throws {
    let vectors = try Vectors("content.txt")
    let sizes = vectors.numbers(of: "fileID")
    try #require(sizes.count >= 10)
    for size in sizes {
      let file = try hash(Vectors.content(size), piece: 1 << 16).file
      #expect(try file.chunkHashes == vectors.digests("\(size).chunks"))
      #expect(file.root.bytes == vectors["\(size).root"])
      #expect(file.fileID.digest.bytes == vectors["\(size).fileID"])
      #expect(bigEndian(file.length) == vectors["\(size).length"])
    }
  }

  @Test func `a chunk has the published leaf hashes, and a missing chunk the published hash`() throws {
    let vectors = try Vectors("content.txt")
    for size in vectors.numbers(of: "leaves") {
      let (file, chunks) = try hash(Vectors.content(size), piece: 1 << 16)
      #expect(try chunks.flatMap(\.leafHashes) == vectors.digests("\(size).leaves"))
      #expect(file.root.bytes == vectors["\(size).root"])
    }
    #expect(MerkleTree.padding(level: 6).bytes == vectors["missing-chunk"])
  }

  @Test func `pages have the published hashes and uncles`() throws {
    let vectors = try Vectors("page.txt")
    let counts = vectors.numbers(of: "fileID")
    try #require(counts.count >= 3)
    var frameCount = 0
    for count in counts {
      let length = try #require(vectors["\(count).length"]).reduce(0) { $0 << 8 | UInt64($1) }
      let layout = try #require(ChunkLayout(fileLength: length))
      let hashes = (0..<count).map { sha256(Array("p2pnode-chunk".utf8) + bigEndian(UInt32($0))) }
      let tree = try #require(HashTree(layout, chunkHashes: hashes))
      #expect(tree.root.bytes == vectors["\(count).root"])
      #expect(FileID(kind: .file, length: length, root: tree.root).digest.bytes == vectors["\(count).fileID"])
      for index in 0..<tree.pages.pageCount {
        let page = try #require(tree.page(PageIndex(UInt32(index))))
        #expect(bigEndian(UInt16(page.chunkHashes.count)) == vectors["\(count).page\(index).count"])
        #expect(try page.uncles == vectors.digests("\(count).page\(index).uncles"))
        try page.verify(against: tree.root, in: tree.pages)
        guard let frame = vectors["\(count).page\(index).frame"] else { continue }
        // After length, type and handle: the page, then the hashes and the uncles with their counts.
        var body = bigEndian(page.index.rawValue) + bigEndian(UInt16(page.chunkHashes.count))
        for hash in page.chunkHashes { hash.append(to: &body) }
        body.append(UInt8(page.uncles.count))
        for hash in page.uncles { hash.append(to: &body) }
        #expect(Array(frame.dropFirst(9)) == body)
        frameCount += 1
      }
    }
    #expect(frameCount > 0, "the vectors name no frame")
  }
}
