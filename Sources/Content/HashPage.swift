// Pages of chunk hashes: aligned subtrees of a file's tree. Each page can be verified against the root by itself.

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

  /// If the layout is a folder's, `chunksPerPage` must be the same as in that layout.
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

  /// Returns the page that holds a chunk's hash. Nil if files share the chunk: its hash follows from the listing.
  public func page(of chunk: ChunkIndex) -> PageIndex? {
    guard let folder = layout.folder else { return PageIndex(chunk.rawValue / UInt32(chunksPerPage)) }
    return folder.page(of: chunk)
  }

  /// Returns the numbers of the chunks whose hashes a page holds. Never empty. The page must exist.
  public func chunks(of page: PageIndex) -> Range<Int> {
    precondition(contains(page), "no such page")
    if let folder = layout.folder { return folder.chunks(of: page) }
    let first = Int(page.rawValue) * chunksPerPage
    return first..<min(first + chunksPerPage, layout.chunkCount)
  }

  /// Returns the number of uncle hashes of a page, from its node up to the root. 0 if the file has only one page.
  public func uncleCount(of page: PageIndex) -> Int { trees(of: page)[0].uncleCount }

  /// Returns the trees that have hashes in a page: one for each file.
  /// - `root`: the root of the content.
  func trees(of page: PageIndex, under root: Digest = .zero) -> [PageTree] {
    if let folder = layout.folder { return folder.trees(of: page) }
    return [
      PageTree(
        chunks: chunks(of: page), position: page.rawValue, fileChunkCount: layout.chunkCount, root: root,
        chunksPerPage: chunksPerPage, chunkLevel: layout.chunkLevel)
    ]
  }
}

/// A subtree of one file's tree. Its chunk hashes are in a page.
struct PageTree {
  /// The chunks whose hashes are the subtree's lowest row.
  let chunks: Range<Int>
  /// The index of the page among the pages of its file.
  let position: UInt32
  /// Chunks of the file.
  let fileChunkCount: Int
  let root: Digest
  let chunksPerPage: Int
  let chunkLevel: Int

  /// The number of uncle hashes between the subtree's node and the root.
  var uncleCount: Int {
    MerkleTree.powerOfTwo(atLeast: (fileChunkCount + chunksPerPage - 1) / chunksPerPage).trailingZeroBitCount
  }
  /// The width, in chunks, to which the row is filled up. For a file with one page it is the width of the file's tree.
  var width: Int { min(chunksPerPage, MerkleTree.powerOfTwo(atLeast: fileChunkCount)) }
  /// The level of the subtree's node in the tree.
  var level: Int { chunkLevel + width.trailingZeroBitCount }

  /// Whether a row of chunk hashes, together with uncles, leads to the root.
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

/// Why a page does not belong to the file. Each is the fault of the peer that sent the page.
public enum HashPageFault: Error, Hashable {
  case noSuchPage
  case wrongChunkHashCount(Int)
  case wrongUncleCount(Int)
  case notUnderRoot
}

/// The hashes of a run of chunks, and the uncle hashes that lead from them to the root.
///
/// Source: `Protocol/README.md`, "PAGE".
public struct HashPage: Hashable, Sendable {
  public let index: PageIndex
  /// The hashes of all chunks of the page.
  public let chunkHashes: [Digest]
  /// The sibling of the page's node, then the sibling of their parent, and so on up to below the root.
  public let uncles: [Digest]

  /// Takes any values. `verify` checks them.
  public init(index: PageIndex, chunkHashes: [Digest], uncles: [Digest]) {
    self.index = index
    self.chunkHashes = chunkHashes
    self.uncles = uncles
  }

  /// Throws unless the page has exactly the hashes that this layout requires and they lead to the root. In a folder,
  /// they must lead to the root of each file that has hashes in the page.
  /// - `root`: the root of the content.
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
