// Folders whose files have invented roots, for tests of the engine, which reads no bytes.
import Content

/// Returns the layout of a folder with files of these lengths. The listing has them in this order.
func someFolder(
  _ lengths: [Int], chunkSize: Int = ChunkLayout.wireChunkSize, leafSize: Int = ChunkLayout.wireLeafSize,
  chunksPerPage: Int = PageLayout.wireChunksPerPage
) throws -> FolderLayout {
  let entries = lengths.enumerated().map { number, length in
    let root = length == 0 ? Digest.zero : someHash(number)
    let content = FileContent(length: UInt64(length), root: root)
    return FolderEntry(FolderPath("\(100_000 + number)"), .file(content, isExecutable: false))
  }
  let listing = try FolderListing(entries)
  return try FolderLayout(
    listing, root: Digest(sha256: listing.bytes.span.bytes), chunkSize: chunkSize, leafSize: leafSize,
    chunksPerPage: chunksPerPage)
}

func someHash(_ number: Int) -> Digest {
  let bytes = (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  return Digest(sha256: bytes.span.bytes)
}
