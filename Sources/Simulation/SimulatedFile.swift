// The content of a simulation, hashed once, as each honest peer has it: a file, or the contents of a folder.
import Content
import Transfer
import Wire

/// A content with its hash trees.
struct SimulatedFile: Sendable {
  let bytes: [UInt8]
  let layout: ChunkLayout
  let root: Digest
  /// The page layout, and each page.
  let pages: PageLayout
  private let hashPages: [HashPage]
  /// By chunk: the leaf hashes, and the chunk hash.
  let leafHashes: [[Digest]]
  let chunkHashes: [Digest]
  let target: FetchTarget
  let served: ServedFile
  let manifest: Manifest
  /// The bytes of each file of a folder, by entry. Nil if the content is one file.
  private let files: [[UInt8]]?

  /// Makes a file.
  init(_ bytes: [UInt8], _ layout: ChunkLayout, chunksPerPage: Int) {
    let leafHashes = SimulatedFile.leafHashes(bytes, layout)
    let tree = HashTree(
      layout, chunkHashes: SimulatedFile.chunkHashes(leafHashes, layout), chunksPerPage: chunksPerPage)!
    let pages = (0..<tree.pages.pageCount).map { tree.page(PageIndex(UInt32($0)))! }
    self.init(.file, bytes, nil, tree.pages, root: tree.root, pages, leafHashes)
  }

  /// Makes the contents of a folder.
  init(_ folder: SimulatedFolder, chunksPerPage: Int) {
    let layout = ChunkLayout(folder.layout)
    let pages = PageLayout(layout, chunksPerPage: chunksPerPage)
    let bytes = folder.bytes
    let leafHashes = SimulatedFile.leafHashes(bytes, layout)
    let chunkHashes = SimulatedFile.chunkHashes(leafHashes, layout)
    let hashPages = (0..<pages.pageCount).map { number in
      let index = PageIndex(UInt32(number))
      return HashPage(
        index: index, chunkHashes: Array(chunkHashes[pages.chunks(of: index)]),
        uncles: SimulatedFile.uncles(of: index, in: pages, chunkHashes))
    }
    self.init(
      .folderContents, bytes, folder.files, pages, root: folder.layout.listingRoot, hashPages, leafHashes)
  }

  private init(
    _ kind: ContentKind, _ bytes: [UInt8], _ files: [[UInt8]]?, _ pages: PageLayout, root: Digest,
    _ hashPages: [HashPage], _ leafHashes: [[Digest]]
  ) {
    let layout = pages.layout
    let fileID = FileID(kind: kind, length: layout.fileLength, root: root)
    let key = FileKey(fileID, swarm: nil)
    target = FetchTarget(
      fileID: fileID, key: key, folder: layout.folder, chunkSize: layout.chunkSize, leafSize: layout.leafSize,
      chunksPerPage: pages.chunksPerPage)
    manifest = Manifest(kind: kind, layout: layout, root: root, suggestedName: "file")
    served = ServedFile(kind: kind, key: key, pages: pages, root: root, name: "file")
    (self.bytes, self.files, self.layout, self.root, self.pages) = (bytes, files, layout, root, pages)
    (self.hashPages, self.leafHashes) = (hashPages, leafHashes)
    chunkHashes = SimulatedFile.chunkHashes(leafHashes, layout)
  }

  private static func leafHashes(_ bytes: [UInt8], _ layout: ChunkLayout) -> [[Digest]] {
    (0..<UInt32(layout.chunkCount)).map { number in
      let chunk = ChunkIndex(number)
      let start = Int(layout.offset(of: chunk))
      return layout.leafHashes(bytes.span.bytes.extracting(start..<start + layout.length(of: chunk)), of: chunk)
    }
  }

  private static func chunkHashes(_ leafHashes: [[Digest]], _ layout: ChunkLayout) -> [Digest] {
    leafHashes.enumerated().map { layout.chunkHash($1, of: ChunkIndex(UInt32($0))) }
  }

  /// Returns the uncles of a large file's page. Empty for other pages of a folder.
  private static func uncles(of page: PageIndex, in pages: PageLayout, _ chunkHashes: [Digest]) -> [Digest] {
    guard pages.uncleCount(of: page) > 0, let folder = pages.layout.folder else { return [] }
    let first = ChunkIndex(UInt32(pages.chunks(of: page).lowerBound))
    let run = folder.runs(at: pages.layout.offset(of: first), count: 1)[0]
    let places = folder.places(ofFile: run.entry)
    let start = Int(places[0].chunk.rawValue)
    let cut = ChunkLayout(
      fileLength: folder.listing.fileLength(of: run.entry), chunkSize: pages.layout.chunkSize,
      leafSize: pages.layout.leafSize)!
    let tree = HashTree(
      cut, chunkHashes: Array(chunkHashes[start..<start + places.count]), chunksPerPage: pages.chunksPerPage)!
    return tree.page(PageIndex(UInt32((Int(first.rawValue) - start) / pages.chunksPerPage)))!.uncles
  }

  /// Returns a page of the content. Nil if it has no such page.
  func page(_ index: PageIndex) -> HashPage? { pages.contains(index) ? hashPages[Int(index.rawValue)] : nil }

  /// The content as a peer offers it that has only the last chunk.
  var servedLastChunk: ServedFile {
    var bits = Array(repeating: UInt8(0), count: (layout.chunkCount + 7) / 8)
    let last = layout.chunkCount - 1
    bits[last / 8] = 0x80 >> UInt8(last % 8)
    return ServedFile(
      kind: served.kind, key: served.key, pages: pages, root: root, name: "file",
      parts: HeldParts(wholeChunks: bits, runs: []))
  }

  func bytes(of leaves: LeafRange, in chunk: ChunkIndex) -> [UInt8] {
    let start = Int(layout.offset(ofLeaf: leaves.first, in: chunk))
    return Array(bytes[start..<start + layout.length(of: leaves, in: chunk)])
  }

  /// Whether a file of the getter has all wanted leaves.
  func isRight(_ found: [UInt8], for wanted: WantedLeaves) -> Bool {
    if wanted.isAll { return found == bytes }
    return found.count == bytes.count
      && (0..<UInt32(layout.chunkCount)).allSatisfy { number in
        let chunk = ChunkIndex(number)
        return LeafRun.runs(of: layout.leaves(of: chunk).mask & wanted.mask(of: chunk), in: chunk).allSatisfy { run in
          let start = Int(layout.offset(ofLeaf: run.leaves.first, in: chunk))
          let end = start + layout.length(of: run.leaves, in: chunk)
          return found[start..<end] == bytes[start..<end]
        }
      }
  }

  /// Whether the bytes are right for a place of the content. In a folder, compares with the files at that place.
  func has(_ part: [UInt8], at offset: Int) -> Bool {
    guard offset + part.count <= bytes.count else { return false }
    guard let files, let folder = layout.folder else { return bytes[offset..<offset + part.count].elementsEqual(part) }
    return folder.runs(at: UInt64(offset), count: part.count).flatMap { run in
      files[run.entry][Int(run.offset)..<Int(run.offset) + run.count]
    } == part
  }
}
