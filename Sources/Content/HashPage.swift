// Chunk hashes travel in pages: aligned subtrees of the file's tree that each verify by themselves against the root.

/// The position of a page in its file, from 0.
public struct PageIndex: RawRepresentable, Hashable, Comparable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  public static func < (a: PageIndex, b: PageIndex) -> Bool { a.rawValue < b.rawValue }
}

/// How the chunk hashes of a file are cut into pages. The wire fixes 1,024 a page; a simulation may cut finer.
public struct PageLayout: Hashable, Sendable {
  public let layout: ChunkLayout
  /// Chunk hashes of a full page, a power of two.
  public let chunksPerPage: Int

  /// Chunk hashes of a full page on the wire.
  public static let wireChunksPerPage = 1 << 10

  public init(_ layout: ChunkLayout, chunksPerPage: Int = PageLayout.wireChunksPerPage) {
    precondition(chunksPerPage > 0 && chunksPerPage & (chunksPerPage - 1) == 0, "a page is a subtree")
    self.layout = layout
    self.chunksPerPage = chunksPerPage
  }

  /// Pages of the file; 0 for an empty file.
  public var pageCount: Int { (layout.chunkCount + chunksPerPage - 1) / chunksPerPage }

  /// Whether the file has this page.
  public func contains(_ page: PageIndex) -> Bool { Int(page.rawValue) < pageCount }

  /// The page that holds a chunk's hash.
  public func page(of chunk: ChunkIndex) -> PageIndex { PageIndex(chunk.rawValue / UInt32(chunksPerPage)) }

  /// The chunks, by number, whose hashes a page of the file holds; never empty.
  public func chunks(of page: PageIndex) -> Range<Int> {
    precondition(contains(page), "no such page")
    let first = Int(page.rawValue) * chunksPerPage
    return first..<min(first + chunksPerPage, layout.chunkCount)
  }

  /// Hashes between a page's own and the root, which every page of the file brings: 0 for a file of one page.
  public var uncleCount: Int { MerkleTree.powerOfTwo(atLeast: pageCount).trailingZeroBitCount }

  /// The width, in chunks, to which a page is filled up; a file's only page goes no further than the file's tree.
  var pageWidth: Int { min(chunksPerPage, MerkleTree.powerOfTwo(atLeast: layout.chunkCount)) }

  /// The level of a page's own hash in the tree.
  var pageLevel: Int { layout.chunkLevel + pageWidth.trailingZeroBitCount }
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

  /// Throws unless the page has exactly the hashes that it must have in a file of this layout, and leads to `root`.
  public func verify(against root: Digest, in pages: PageLayout) throws(HashPageFault) {
    guard pages.contains(index) else { throw .noSuchPage }
    guard chunkHashes.count == pages.chunks(of: index).count else { throw .wrongChunkHashCount(chunkHashes.count) }
    guard uncles.count == pages.uncleCount else { throw .wrongUncleCount(uncles.count) }
    var hash = MerkleTree.node(over: chunkHashes, level: pages.layout.chunkLevel, width: pages.pageWidth)
    var position = index.rawValue
    for uncle in uncles {
      hash = position & 1 == 0 ? MerkleTree.node(hash, uncle) : MerkleTree.node(uncle, hash)
      position >>= 1
    }
    guard hash == root else { throw .notUnderRoot }
  }
}
