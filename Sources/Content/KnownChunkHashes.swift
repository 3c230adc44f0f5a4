// The chunk hashes of a content that this node knows so far.

/// Chunk hashes from verified pages. For a folder, also the hashes that follow from its listing.
public struct KnownChunkHashes: Sendable {
  public let pages: PageLayout
  private var hashes: [PageIndex: [Digest]] = [:]

  public init(_ pages: PageLayout) { self.pages = pages }

  /// Whether a page was added.
  public func has(_ page: PageIndex) -> Bool { hashes[page] != nil }

  /// Adds a verified page.
  public mutating func add(_ page: HashPage) { hashes[page.index] = page.chunkHashes }

  /// Returns the hash of a chunk of the content. Nil if its page was not added.
  public func hash(of chunk: ChunkIndex) -> Digest? {
    guard let page = pages.page(of: chunk) else { return pages.layout.folder?.knownHash(of: chunk) }
    return hashes[page].map { $0[Int(chunk.rawValue) - pages.chunks(of: page).lowerBound] }
  }
}
