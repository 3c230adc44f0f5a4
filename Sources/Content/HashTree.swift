// The serving side of hash pages: all chunk hashes of a file, and the few nodes above its pages.

/// A file's tree from the chunk hashes up. Making a page only copies hashes.
public struct HashTree: Sendable {
  public let pages: PageLayout
  /// One hash for each chunk.
  public let chunkHashes: [Digest]
  public let root: Digest

  // The nodes above the pages: first the level of the pages, then each next level, half as long. Padding nodes are left
  // out.
  private let levels: [[Digest]]
  private let pageLevel: Int

  /// Nil unless there is one hash for each chunk. Computes about one hash per chunk.
  public init?(_ layout: ChunkLayout, chunkHashes: [Digest], chunksPerPage: Int = PageLayout.wireChunksPerPage) {
    guard chunkHashes.count == layout.chunkCount else { return nil }
    precondition(layout.folder == nil, "a folder has a tree for each file")
    let pages = PageLayout(layout, chunksPerPage: chunksPerPage)
    var row: [Digest] = []
    var levels: [[Digest]] = [[]]
    if pages.pageCount > 0 {
      let first = pages.trees(of: PageIndex(0))[0]
      for page in 0..<pages.pageCount {
        let chunks = pages.chunks(of: PageIndex(UInt32(page)))
        row.append(MerkleTree.node(over: chunkHashes[chunks], level: layout.chunkLevel, width: first.width))
      }
      levels = [row]
      for step in 0..<first.uncleCount {
        row = MerkleTree.parents(of: row, level: first.level + step)
        levels.append(row)
      }
      pageLevel = first.level
    } else {
      pageLevel = 0
    }
    self.pages = pages
    self.chunkHashes = chunkHashes
    self.levels = levels
    root = row.first ?? .zero
  }

  /// Makes the tree of a file that has just been hashed.
  public init(_ file: FileHash) {
    guard let tree = HashTree(file.layout, chunkHashes: file.chunkHashes) else {
      preconditionFailure("a hashed file has a hash for every chunk")
    }
    self = tree
  }

  /// Returns a page of the file. Nil if the file has no such page.
  public func page(_ index: PageIndex) -> HashPage? {
    guard pages.contains(index) else { return nil }
    var uncles: [Digest] = []
    var position = Int(index.rawValue)
    for (step, level) in levels.dropLast().enumerated() {
      let uncle = position ^ 1
      uncles.append(uncle < level.count ? level[uncle] : MerkleTree.padding(level: pageLevel + step))
      position >>= 1
    }
    return HashPage(index: index, chunkHashes: Array(chunkHashes[pages.chunks(of: index)]), uncles: uncles)
  }
}
