// How the files of a folder are cut. Small files share chunks; larger files have their own.

/// How the contents of a folder are cut into chunks, leaves and pages.
///
/// The contents are one sequence of bytes: all files that are not empty, in layout order. A chunk is a part of that
/// sequence. So code that reads and writes by offset needs the files only in its last step (`runs(at:count:)`).
///
/// Besides the listing, it takes eight bytes for each small file, 13 bytes for each shared chunk, and 40 bytes for each
/// larger file.
///
/// Source: `Protocol/README.md`, "Layout of the contents".
public final class FolderLayout: Sendable {
  public let listing: FolderListing
  /// The root of the listing's bytes. With the length, it identifies the listing.
  public let listingRoot: Digest
  let chunkSize: Int
  let leafSize: Int
  let chunksPerPage: Int

  /// The entry numbers of the files that share chunks, in layout order.
  let smallFiles: [UInt32]
  /// The lengths of the small files in bytes, in the same order.
  let smallLengths: [UInt32]
  /// For each shared chunk, the index of its first file in `smallFiles`. Then one more value: the number of small
  /// files.
  let sharedStarts: [UInt32]
  /// For each shared chunk, where it begins in the contents. Then one more value: where the last one ends.
  let sharedOffsets: [UInt64]
  /// The number of leaves of each shared chunk.
  let sharedLeafCounts: [UInt8]
  /// Files with chunks of their own, in layout order.
  let largeFiles: [LargeFile]
  /// For each page, its first chunk. Then one more value: the number of chunks.
  let pageStarts: [UInt32]
  let chunkCount: Int

  /// A file of more bytes than a chunk has.
  struct LargeFile: Sendable {
    /// The number of the file's entry.
    let entry: UInt32
    let firstChunk: UInt32
    let chunkCount: UInt32
    /// The page with the file's first chunk hash. Only a file with pages of its own is sure to begin there.
    let firstPage: UInt32
    /// Where the file begins in the contents, in bytes.
    let offset: UInt64
    /// Bytes.
    let length: UInt64
  }

  /// Cuts the files of a listing. On the wire the sizes are fixed; a simulation may use smaller ones. Throws if there
  /// are too many chunks.
  /// - `root`: the root of the listing's bytes.
  public init(
    _ listing: FolderListing, root: Digest, chunkSize: Int = ChunkLayout.wireChunkSize,
    leafSize: Int = ChunkLayout.wireLeafSize, chunksPerPage: Int = PageLayout.wireChunksPerPage
  ) throws(FolderListingFault) {
    var cutter = FolderCutter(listing, chunkSize: chunkSize, leafSize: leafSize, chunksPerPage: chunksPerPage)
    for index in 0..<listing.count where listing.isFile(index) { cutter.addIfSmall(index) }
    cutter.endSmallFiles()
    for index in 0..<listing.count where listing.isFile(index) { try cutter.addIfLarge(index) }
    try cutter.end()
    self.listing = listing
    listingRoot = root
    self.chunkSize = chunkSize
    self.leafSize = leafSize
    self.chunksPerPage = chunksPerPage
    smallFiles = cutter.smallFiles
    smallLengths = cutter.smallLengths
    sharedStarts = cutter.sharedStarts
    sharedOffsets = cutter.sharedOffsets
    sharedLeafCounts = cutter.sharedLeafCounts
    largeFiles = cutter.largeFiles
    pageStarts = cutter.pageStarts
    chunkCount = cutter.chunkCount
  }

  /// The ID of the folder, which people pass on.
  public var folderID: FileID { FileID(kind: .folder, length: UInt64(listing.bytes.count), root: listingRoot) }
  /// The ID of the contents.
  public var contentsID: FileID {
    FileID(kind: .folderContents, length: listing.contentsLength, root: listingRoot)
  }

  /// The number of chunks that small files share. They come before all other chunks.
  var sharedCount: Int { sharedLeafCounts.count }
  /// The chunks whose hashes follow from the listing, without a page.
  public var sharedChunks: some RandomAccessCollection<ChunkIndex> {
    (0..<UInt32(sharedCount)).lazy.map { ChunkIndex($0) }
  }
  func isShared(_ chunk: ChunkIndex) -> Bool { Int(chunk.rawValue) < sharedCount }

  /// Returns the entry numbers of the files that share a chunk.
  func files(sharing chunk: ChunkIndex) -> ArraySlice<UInt32> {
    let chunk = Int(chunk.rawValue)
    return smallFiles[Int(sharedStarts[chunk])..<Int(sharedStarts[chunk + 1])]
  }

  /// Returns the large file that a chunk belongs to. The chunk must not be shared.
  func largeFile(of chunk: ChunkIndex) -> LargeFile {
    largeFiles[largeFiles.lastPlace { $0.firstChunk <= chunk.rawValue }]
  }

  /// Returns the indices in `smallFiles` and `smallLengths` of the files that share a chunk.
  func places(sharing chunk: ChunkIndex) -> Range<Int> {
    let chunk = Int(chunk.rawValue)
    return Int(sharedStarts[chunk])..<Int(sharedStarts[chunk + 1])
  }

  /// Returns the number of leaves of a file of `count` bytes.
  func leafCount(ofBytes count: UInt64) -> Int { Int((count + UInt64(leafSize) - 1) / UInt64(leafSize)) }

  /// Returns the length in bytes of each leaf of a shared chunk.
  func leafLengths(ofShared chunk: ChunkIndex) -> [Int] {
    var lengths: [Int] = []
    lengths.reserveCapacity(Int(sharedLeafCounts[Int(chunk.rawValue)]))
    for place in places(sharing: chunk) {
      var left = Int(smallLengths[place])
      while left > 0 {
        lengths.append(min(left, leafSize))
        left -= leafSize
      }
    }
    return lengths
  }

  // MARK: Places

  func offset(of chunk: ChunkIndex) -> UInt64 {
    if isShared(chunk) { return sharedOffsets[Int(chunk.rawValue)] }
    let file = largeFile(of: chunk)
    return file.offset + UInt64(chunk.rawValue - file.firstChunk) * UInt64(chunkSize)
  }

  func length(of chunk: ChunkIndex) -> Int {
    if isShared(chunk) {
      return Int(sharedOffsets[Int(chunk.rawValue) + 1] - sharedOffsets[Int(chunk.rawValue)])
    }
    let file = largeFile(of: chunk)
    return Int(min(UInt64(chunkSize), file.length - UInt64(chunk.rawValue - file.firstChunk) * UInt64(chunkSize)))
  }

  /// Returns the number of chunks that end at or before an offset. The offset must be below the end of the contents.
  func chunkCount(below offset: UInt64) -> Int {
    if offset < sharedOffsets[sharedCount] { return sharedOffsets.lastPlace { $0 <= offset } }
    let file = largeFiles[largeFiles.lastPlace { $0.offset <= offset }]
    return Int(file.firstChunk) + Int((offset - file.offset) / UInt64(chunkSize))
  }

  func leafCount(ofShared chunk: ChunkIndex) -> Int { Int(sharedLeafCounts[Int(chunk.rawValue)]) }

  // MARK: Hashes

  /// Returns the hash of a shared chunk: SHA-256 of the roots of its files. Only this program uses the value. Nil if
  /// the chunk belongs to a large file: then its hash comes in a page.
  public func knownHash(of chunk: ChunkIndex) -> Digest? {
    guard isShared(chunk) else { return nil }
    var roots: [UInt8] = []
    for file in files(sharing: chunk) { listing.fileRoot(of: Int(file)).append(to: &roots) }
    return Digest(sha256: roots.span.bytes)
  }

  /// Whether each file of a shared chunk has one leaf. Then the files' roots are the leaf hashes.
  public func knowsLeafHashes(of chunk: ChunkIndex) -> Bool {
    isShared(chunk) && files(sharing: chunk).count == leafCount(ofShared: chunk)
  }

  /// Returns the leaf hashes of a shared chunk, if each of its files has one leaf. Nil otherwise.
  public func knownLeafHashes(of chunk: ChunkIndex) -> [Digest]? {
    guard knowsLeafHashes(of: chunk) else { return nil }
    return files(sharing: chunk).map { listing.fileRoot(of: Int($0)) }
  }

  /// Returns the hash of a shared chunk, from the hashes of all its leaves.
  func sharedHash(of chunk: ChunkIndex, _ leafHashes: some Collection<Digest>) -> Digest {
    var roots: [UInt8] = []
    var rest = leafHashes[...]
    for place in places(sharing: chunk) {
      let count = leafCount(ofBytes: UInt64(smallLengths[place]))
      let root = MerkleTree.node(
        over: Array(rest.prefix(count)), level: 0, width: MerkleTree.powerOfTwo(atLeast: count))
      rest = rest.dropFirst(count)
      root.append(to: &roots)
    }
    return Digest(sha256: roots.span.bytes)
  }
}

extension FolderLayout: Hashable {
  public static func == (a: FolderLayout, b: FolderLayout) -> Bool {
    a === b
      || a.listingRoot == b.listingRoot && a.listing.bytes.count == b.listing.bytes.count && a.chunkSize == b.chunkSize
        && a.leafSize == b.leafSize && a.chunksPerPage == b.chunksPerPage
  }
  public func hash(into hasher: inout Hasher) { hasher.combine(listingRoot) }
}

extension Array {
  /// Returns the last index whose element fits. All that fit must come before all others, and the first one must fit.
  func lastPlace(where fits: (Element) -> Bool) -> Int {
    var (low, high) = (0, count - 1)
    while low < high {
      let middle = (low + high + 1) / 2
      if fits(self[middle]) { low = middle } else { high = middle - 1 }
    }
    return low
  }
}
