// The pages of a folder: hashes of several files share a page, and a very large file has pages of its own.

extension FolderLayout {
  var pageCount: Int { pageStarts.count - 1 }

  /// Returns the page of a large file's chunk. Nil for a chunk that files share.
  func page(of chunk: ChunkIndex) -> PageIndex? {
    guard !isShared(chunk) else { return nil }
    let place = pageStarts.lastPlace { $0 <= chunk.rawValue }
    return PageIndex(UInt32(min(place, pageCount - 1)))
  }

  func chunks(of page: PageIndex) -> Range<Int> {
    Int(pageStarts[Int(page.rawValue)])..<Int(pageStarts[Int(page.rawValue) + 1])
  }

  /// Makes the pages whose hashes are all known.
  /// - `chunkHashes`: for some large files, by entry number, the hashes of all chunks. They must lead to the files'
  ///   roots.
  public func pages(knowing chunkHashes: [Int: [Digest]]) -> [HashPage] {
    var pages: [HashPage] = []
    for place in largeFiles.indices where pageBegins(with: place) {
      let file = largeFiles[place]
      if Int(file.chunkCount) <= chunksPerPage {
        if let page = sharedPage(from: place, knowing: chunkHashes) { pages.append(page) }
        continue
      }
      guard let hashes = chunkHashes[Int(file.entry)],
        let layout = ChunkLayout(fileLength: file.length, chunkSize: chunkSize, leafSize: leafSize),
        let tree = HashTree(layout, chunkHashes: hashes, chunksPerPage: chunksPerPage)
      else { continue }
      for number in 0..<UInt32(tree.pages.pageCount) {
        guard let page = tree.page(PageIndex(number)) else { continue }
        pages.append(
          HashPage(
            index: PageIndex(file.firstPage + number), chunkHashes: page.chunkHashes, uncles: page.uncles))
      }
    }
    return pages
  }

  /// Whether a page begins with the first chunk of a large file.
  private func pageBegins(with place: Int) -> Bool {
    pageStarts[Int(largeFiles[place].firstPage)] == largeFiles[place].firstChunk
  }

  /// Makes the page that begins with a file. Nil unless the hashes of all its files are known.
  private func sharedPage(from first: Int, knowing chunkHashes: [Int: [Digest]]) -> HashPage? {
    let index = PageIndex(largeFiles[first].firstPage)
    let end = chunks(of: index).upperBound
    var row: [Digest] = []
    for file in largeFiles[first...] {
      guard Int(file.firstChunk) < end else { break }
      guard let hashes = chunkHashes[Int(file.entry)], hashes.count == Int(file.chunkCount) else { return nil }
      row += hashes
    }
    return HashPage(index: index, chunkHashes: row, uncles: [])
  }

  func trees(of page: PageIndex) -> [PageTree] {
    let chunks = chunks(of: page)
    var trees: [PageTree] = []
    let first = largeFiles.lastPlace { $0.firstChunk <= chunks.lowerBound }
    for file in largeFiles[first...] {
      let start = max(Int(file.firstChunk), chunks.lowerBound)
      guard start < chunks.upperBound else { break }
      let isAlone = Int(file.chunkCount) > chunksPerPage
      trees.append(
        PageTree(
          chunks: start..<min(Int(file.firstChunk + file.chunkCount), chunks.upperBound),
          position: isAlone ? page.rawValue - file.firstPage : 0, fileChunkCount: Int(file.chunkCount),
          root: listing.fileRoot(of: Int(file.entry)), chunksPerPage: chunksPerPage,
          chunkLevel: (chunkSize / leafSize).trailingZeroBitCount))
    }
    return trees
  }
}
