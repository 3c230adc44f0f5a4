// Cuts the files of a listing into chunks and pages: one pass for the small files, one for the large ones.

struct FolderCutter {
  private let listing: FolderListing
  private let chunkSize: Int
  private let leafSize: Int
  private let chunksPerPage: Int

  private(set) var smallFiles: [UInt32] = []
  private(set) var smallLengths: [UInt32] = []
  private(set) var sharedStarts: [UInt32] = []
  private(set) var sharedOffsets: [UInt64] = []
  private(set) var sharedLeafCounts: [UInt8] = []
  private(set) var largeFiles: [FolderLayout.LargeFile] = []
  private(set) var pageStarts: [UInt32] = []
  private(set) var chunkCount = 0
  private var offset: UInt64 = 0
  /// Leaves in the shared chunk that is being filled; in the second pass, chunk hashes in the shared page. 0: none is
  /// begun.
  private var filled = 0

  init(_ listing: FolderListing, chunkSize: Int, leafSize: Int, chunksPerPage: Int) {
    precondition(leafSize > 0 && chunkSize % leafSize == 0 && chunksPerPage > 0, "a chunk is whole leaves")
    self.listing = listing
    self.chunkSize = chunkSize
    self.leafSize = leafSize
    self.chunksPerPage = chunksPerPage
  }

  /// Adds a file that fits into one chunk: to the chunk that is being filled if there is room, or else to a new one.
  mutating func addIfSmall(_ index: Int) {
    let length = listing.fileLength(of: index)
    guard length > 0, length <= UInt64(chunkSize) else { return }
    let leaves = (Int(length) + leafSize - 1) / leafSize
    if filled == 0 || filled + leaves > chunkSize / leafSize {
      if filled > 0 { sharedLeafCounts.append(UInt8(filled)) }
      sharedStarts.append(UInt32(smallFiles.count))
      sharedOffsets.append(offset)
      filled = 0
    }
    smallFiles.append(UInt32(index))
    smallLengths.append(UInt32(length))
    filled += leaves
    offset += length
  }

  mutating func endSmallFiles() {
    if filled > 0 { sharedLeafCounts.append(UInt8(filled)) }
    sharedStarts.append(UInt32(smallFiles.count))
    sharedOffsets.append(offset)
    chunkCount = sharedLeafCounts.count
    filled = 0
  }

  /// Adds a file of several chunks. If its hashes fit into one page, they go into the page that is being filled, or
  /// else into a new one. A larger file has pages of its own, and the next file begins a new page.
  mutating func addIfLarge(_ index: Int) throws(FolderListingFault) {
    let length = listing.fileLength(of: index)
    guard length > UInt64(chunkSize) else { return }
    let chunks = Int((length + UInt64(chunkSize) - 1) / UInt64(chunkSize))
    guard chunks <= ChunkLayout.chunkCountMax - chunkCount else {
      throw FolderListingFault(.tooManyChunks, entry: index)
    }
    if chunks <= chunksPerPage {
      if filled == 0 || filled + chunks > chunksPerPage {
        pageStarts.append(UInt32(chunkCount))
        filled = 0
      }
      filled += chunks
    } else {
      for first in stride(from: chunkCount, to: chunkCount + chunks, by: chunksPerPage) {
        pageStarts.append(UInt32(first))
      }
      filled = 0
    }
    let ownPages = chunks <= chunksPerPage ? 1 : (chunks + chunksPerPage - 1) / chunksPerPage
    largeFiles.append(
      FolderLayout.LargeFile(
        entry: UInt32(index), firstChunk: UInt32(chunkCount), chunkCount: UInt32(chunks),
        firstPage: UInt32(pageStarts.count - ownPages), offset: offset, length: length))
    chunkCount += chunks
    offset += length
  }

  mutating func end() throws(FolderListingFault) {
    guard chunkCount <= ChunkLayout.chunkCountMax else { throw FolderListingFault(.tooManyChunks) }
    pageStarts.append(UInt32(chunkCount))
  }
}
