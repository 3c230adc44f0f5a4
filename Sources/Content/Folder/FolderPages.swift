// The pages of a folder: hashes of several files share a page, and a very large file has pages of its own.

extension FolderLayout {
  var pageCount: Int { pageStarts.count - 1 }

  /// The page of a large file's chunk. Nil for a chunk that files share.
  func page(of chunk: ChunkIndex) -> PageIndex? {
    guard !isShared(chunk) else { return nil }
    let place = pageStarts.lastPlace { $0 <= chunk.rawValue }
    return PageIndex(UInt32(min(place, pageCount - 1)))
  }

  func chunks(of page: PageIndex) -> Range<Int> {
    Int(pageStarts[Int(page.rawValue)])..<Int(pageStarts[Int(page.rawValue) + 1])
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
