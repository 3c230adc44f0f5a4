// Pages from a tree verify. If anything in a page is changed, it is refused.
import Testing

@testable import Content

/// Makes the tree of a file whose chunk hashes are invented.
private func tree(
  chunks count: Int, chunkSize: Int = ChunkLayout.wireChunkSize, leafSize: Int = ChunkLayout.wireLeafSize,
  chunksPerPage: Int = PageLayout.wireChunksPerPage
) throws -> HashTree {
  let length = count == 0 ? 0 : UInt64(count - 1) * UInt64(chunkSize) + 1
  let layout = try #require(ChunkLayout(fileLength: length, chunkSize: chunkSize, leafSize: leafSize))
  return try #require(HashTree(layout, chunkHashes: someDigests(count), chunksPerPage: chunksPerPage))
}

/// Makes a tree with small sizes: chunks of 4 leaves, and a few chunks per page.
private func tinyTree(chunks count: Int, chunksPerPage: Int) throws -> HashTree {
  try tree(chunks: count, chunkSize: 12, leafSize: 3, chunksPerPage: chunksPerPage)
}

private func pages(of tree: HashTree) throws -> [HashPage] {
  try (0..<tree.pages.pageCount).map { try #require(tree.page(PageIndex(UInt32($0)))) }
}

private func isRefused(_ page: HashPage, by tree: HashTree) -> Bool {
  do throws(HashPageFault) {
    try page.verify(against: tree.root, in: tree.pages)
    return false
  } catch { return true }
}

@Suite struct HashPageTests {
  @Test(arguments: [
    // chunks, pages, chunks of the last page, uncles
    (1, 1, 1, 0), (2, 1, 2, 0), (1023, 1, 1023, 0), (1024, 1, 1024, 0), (1025, 2, 1, 1), (1500, 2, 476, 1),
    (2048, 2, 1024, 1), (2049, 3, 1, 2),
  ])
  func `pages of a file give its chunk hashes and verify`(chunks: Int, pageCount: Int, last: Int, uncles: Int) throws {
    let tree = try tree(chunks: chunks)
    #expect(tree.root.bytes == ReferenceTree.root(ofChunks: tree.chunkHashes, leavesPerChunk: 64))
    #expect(tree.root == MerkleTree.root(tree.chunkHashes, in: tree.pages.layout))
    let pages = try pages(of: tree)
    #expect(pages.count == pageCount && pages.last?.chunkHashes.count == last)
    for page in pages {
      try page.verify(against: tree.root, in: tree.pages)
      #expect(page.uncles.count == uncles)
    }
    #expect(pages.flatMap(\.chunkHashes) == tree.chunkHashes)
    #expect(tree.page(PageIndex(UInt32(pageCount))) == nil && tree.page(PageIndex(.max)) == nil)
  }

  @Test(arguments: [1, 2, 1023, 1024, 1025, 1500, 2048, 2049])
  func `a flipped hash in a page of wire size is refused`(chunks: Int) throws {
    let tree = try tree(chunks: chunks)
    let page = try #require(try pages(of: tree).last)
    let count = page.chunkHashes.count
    for i in Set([0, 1, count / 2, count - 2, count - 1].filter { (0..<count).contains($0) }) {
      #expect(isRefused(page.with(chunkHash: i), by: tree), "chunk hash \(i)")
    }
    for i in page.uncles.indices { #expect(isRefused(page.with(uncle: i), by: tree), "uncle \(i)") }
  }

  @Test(arguments: [1, 2, 4, 8])
  func `a page with any one hash changed is refused`(chunksPerPage: Int) throws {
    for chunks in 1...40 {
      let tree = try tinyTree(chunks: chunks, chunksPerPage: chunksPerPage)
      #expect(tree.root.bytes == ReferenceTree.root(ofChunks: tree.chunkHashes, leavesPerChunk: 4))
      for page in try pages(of: tree) {
        try page.verify(against: tree.root, in: tree.pages)
        for i in page.chunkHashes.indices { #expect(isRefused(page.with(chunkHash: i), by: tree)) }
        for i in page.uncles.indices { #expect(isRefused(page.with(uncle: i), by: tree)) }
      }
    }
  }

  @Test func `a page with a wrong count of hashes or uncles is refused, and the fault names the count`() throws {
    for (chunks, chunksPerPage) in [(1, 4), (3, 4), (4, 4), (5, 4), (17, 4), (7, 1)] {
      let tree = try tinyTree(chunks: chunks, chunksPerPage: chunksPerPage)
      for page in try pages(of: tree) {
        for count in 0...6 where count != page.chunkHashes.count {
          let wrong = HashPage(index: page.index, chunkHashes: someDigests(count), uncles: page.uncles)
          #expect(throws: HashPageFault.wrongChunkHashCount(count)) {
            try wrong.verify(against: tree.root, in: tree.pages)
          }
        }
        for count in 0...6 where count != page.uncles.count {
          let wrong = HashPage(index: page.index, chunkHashes: page.chunkHashes, uncles: someDigests(count))
          #expect(throws: HashPageFault.wrongUncleCount(count)) { try wrong.verify(against: tree.root, in: tree.pages) }
        }
      }
    }
  }

  @Test func `a page with another index, or an index beyond the last page, is refused`() throws {
    let tree = try tinyTree(chunks: 16, chunksPerPage: 4)
    for page in try pages(of: tree) {
      for other in 0..<4 as Range<UInt32> where other != page.index.rawValue {
        let moved = HashPage(index: PageIndex(other), chunkHashes: page.chunkHashes, uncles: page.uncles)
        #expect(throws: HashPageFault.notUnderRoot) { try moved.verify(against: tree.root, in: tree.pages) }
      }
      for other in [4, 5, UInt32.max] {
        let beyond = HashPage(index: PageIndex(other), chunkHashes: page.chunkHashes, uncles: page.uncles)
        #expect(throws: HashPageFault.noSuchPage) { try beyond.verify(against: tree.root, in: tree.pages) }
      }
      let turned = HashPage(index: page.index, chunkHashes: page.chunkHashes.reversed(), uncles: page.uncles)
      #expect(throws: HashPageFault.notUnderRoot) { try turned.verify(against: tree.root, in: tree.pages) }
      let crossed = HashPage(index: page.index, chunkHashes: page.chunkHashes, uncles: page.uncles.reversed())
      #expect(throws: HashPageFault.notUnderRoot) { try crossed.verify(against: tree.root, in: tree.pages) }
    }
  }

  @Test func `an empty file has no page, and a page for it is refused`() throws {
    let tree = try tree(chunks: 0)
    #expect(tree.root == .zero && tree.pages.pageCount == 0 && tree.page(PageIndex(0)) == nil)
    let page = HashPage(index: PageIndex(0), chunkHashes: [], uncles: [])
    #expect(throws: HashPageFault.noSuchPage) { try page.verify(against: .zero, in: tree.pages) }
  }

  @Test func `a tree needs exactly one hash for each chunk`() throws {
    let layout = try #require(ChunkLayout(fileLength: 25, chunkSize: 12, leafSize: 3))
    for count in [0, 2, 4] { #expect(HashTree(layout, chunkHashes: someDigests(count)) == nil) }
    #expect(HashTree(layout, chunkHashes: someDigests(3)) != nil)
  }

  @Test func `a chunk knows its page`() throws {
    let pages = try tinyTree(chunks: 18, chunksPerPage: 4).pages
    for page in 0..<pages.pageCount {
      let index = PageIndex(UInt32(page))
      for chunk in pages.chunks(of: index) { #expect(pages.page(of: ChunkIndex(UInt32(chunk))) == index) }
    }
    #expect(pages.chunks(of: PageIndex(4)) == 16..<18)
  }

  @Test func `a page of the largest file has twelve uncles`() throws {
    let layout = try #require(ChunkLayout(fileLength: 1 << 42))
    let pages = PageLayout(layout)
    #expect(pages.pageCount == 4096 && pages.uncleCount(of: PageIndex(0)) == 12)
    #expect(ChunkLayout(fileLength: (1 << 42) + 1) == nil)
  }
}

extension HashPage {
  fileprivate func with(chunkHash i: Int) -> HashPage {
    var hashes = chunkHashes
    hashes[i] = hashes[i].flipped
    return HashPage(index: index, chunkHashes: hashes, uncles: uncles)
  }

  fileprivate func with(uncle i: Int) -> HashPage {
    var hashes = uncles
    hashes[i] = hashes[i].flipped
    return HashPage(index: index, chunkHashes: chunkHashes, uncles: hashes)
  }
}
