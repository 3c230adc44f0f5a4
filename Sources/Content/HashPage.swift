// Chunk hashes travel in pages: aligned subtrees of the file's tree that each verify by themselves against the root.

/// The position of a page in its file, from 0.
public struct PageIndex: RawRepresentable, Hashable, Comparable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  public static func < (a: PageIndex, b: PageIndex) -> Bool { a.rawValue < b.rawValue }
}

/// How the chunk hashes of a content are cut into pages. The wire fixes 1,024 a page; a simulation may cut finer.
public struct PageLayout: Hashable, Sendable {
  public let layout: ChunkLayout
  /// Chunk hashes of a full page, a power of two.
  public let chunksPerPage: Int

  /// Chunk hashes of a full page on the wire.
  public static let wireChunksPerPage = 1 << 10

  /// A folder's layout knows its pages: then `chunksPerPage` must be the same.
  public init(_ layout: ChunkLayout, chunksPerPage: Int = PageLayout.wireChunksPerPage) {
    precondition(chunksPerPage > 0 && chunksPerPage & (chunksPerPage - 1) == 0, "a page is a subtree")
    precondition(layout.folder.map { $0.chunksPerPage == chunksPerPage } ?? true, "a folder's pages are as long")
    self.layout = layout
    self.chunksPerPage = chunksPerPage
  }

  /// Pages of the content; 0 for an empty one.
  public var pageCount: Int {
    layout.folder?.pageCount ?? (layout.chunkCount + chunksPerPage - 1) / chunksPerPage
  }

  /// Whether the content has this page.
  public func contains(_ page: PageIndex) -> Bool { Int(page.rawValue) < pageCount }

  /// The page that holds a chunk's hash. Nil: files share the chunk, and the listing tells its hash.
  public func page(of chunk: ChunkIndex) -> PageIndex? {
    guard let folder = layout.folder else { return PageIndex(chunk.rawValue / UInt32(chunksPerPage)) }
    return folder.page(of: chunk)
  }

  /// The chunks, by number, whose hashes a page of the content holds; never empty.
  public func chunks(of page: PageIndex) -> Range<Int> {
    precondition(contains(page), "no such page")
    if let folder = layout.folder { return folder.chunks(of: page) }
    let first = Int(page.rawValue) * chunksPerPage
    return first..<min(first + chunksPerPage, layout.chunkCount)
  }

  /// Hashes between a page's own and the root, which the page brings: 0 if its file has only one page.
  public func uncleCount(of page: PageIndex) -> Int { trees(of: page)[0].uncleCount }

  /// The parts of a page and the roots that they lead to: one part for each file that has hashes in the page.
  /// - `root`: of the content.
  func trees(of page: PageIndex, under root: Digest = .zero) -> [PageTree] {
    if let folder = layout.folder { return folder.trees(of: page) }
    return [
      PageTree(
        chunks: chunks(of: page), position: page.rawValue, fileChunkCount: layout.chunkCount, root: root,
        chunksPerPage: chunksPerPage, chunkLevel: layout.chunkLevel)
    ]
  }
}

/// A subtree of one file's tree, as a page has it.
struct PageTree {
  /// The chunks of the content whose hashes are its row.
  let chunks: Range<Int>
  /// Its place among the pages of its file.
  let position: UInt32
  /// Chunks of the file.
  let fileChunkCount: Int
  let root: Digest
  let chunksPerPage: Int
  let chunkLevel: Int

  /// Hashes between its own and the root.
  var uncleCount: Int {
    MerkleTree.powerOfTwo(atLeast: (fileChunkCount + chunksPerPage - 1) / chunksPerPage).trailingZeroBitCount
  }
  /// The width, in chunks, to which the row is filled up; a file's only page goes no further than the file's tree.
  var width: Int { min(chunksPerPage, MerkleTree.powerOfTwo(atLeast: fileChunkCount)) }
  /// The level of its own hash in the tree.
  var level: Int { chunkLevel + width.trailingZeroBitCount }

  /// Whether a row of chunk hashes and uncles lead to the root.
  func isMatched(by row: ArraySlice<Digest>, _ uncles: [Digest]) -> Bool {
    var hash = MerkleTree.node(over: row, level: chunkLevel, width: width)
    var position = position
    for uncle in uncles {
      hash = position & 1 == 0 ? MerkleTree.node(hash, uncle) : MerkleTree.node(uncle, hash)
      position >>= 1
    }
    return hash == root
  }
}

/// Why a page is not part of the file. Each is the fault of the peer that sent it.
public enum HashPageFault: Error, Hashable {
  case noSuchPage
  case wrongChunkHashCount(Int)
  case wrongUncleCount(Int)
  case notUnderRoot
}

/// The hashes of a run of chunks and what it takes to recompute the root from them.
///
/// Source: `Protocol/README.md`, "PAGE".
public struct HashPage: Hashable, Sendable {
  public let index: PageIndex
  /// The hashes of the page's chunks that the file has.
  public let chunkHashes: [Digest]
  /// The hash beside the page's own, then the one beside their parent, and so on below the root.
  public let uncles: [Digest]

  /// Takes any values; `verify` tells whether they are true.
  public init(index: PageIndex, chunkHashes: [Digest], uncles: [Digest]) {
    self.index = index
    self.chunkHashes = chunkHashes
    self.uncles = uncles
  }

  /// Throws unless the page has exactly the hashes that it must have in a content of this layout, and they lead to the
  /// root: of the file, or of each file of a folder that has hashes in the page.
  /// - `root`: of the content.
  public func verify(against root: Digest, in pages: PageLayout) throws(HashPageFault) {
    guard pages.contains(index) else { throw .noSuchPage }
    guard chunkHashes.count == pages.chunks(of: index).count else { throw .wrongChunkHashCount(chunkHashes.count) }
    let trees = pages.trees(of: index, under: root)
    guard uncles.count == trees[0].uncleCount else { throw .wrongUncleCount(uncles.count) }
    let first = pages.chunks(of: index).lowerBound
    for tree in trees {
      let row = chunkHashes[tree.chunks.lowerBound - first..<tree.chunks.upperBound - first]
      guard tree.isMatched(by: row, uncles) else { throw .notUnderRoot }
    }
  }
}
