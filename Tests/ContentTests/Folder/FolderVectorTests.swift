// Folders compared with `Protocol/vectors/folder.txt`, which an independent program wrote.
import Testing

@testable import Content

/// One folder of the vectors.
private struct FolderVector {
  let name: String
  let vectors: Vectors
  let listing: FolderListing
  let layout: FolderLayout

  var chunks: ChunkLayout { ChunkLayout(layout) }
  var pages: PageLayout { PageLayout(chunks) }

  init(_ name: String, _ vectors: Vectors) throws {
    self.name = name
    self.vectors = vectors
    listing = try FolderListing(decoding: #require(vectors["\(name).listing"]))
    layout = try FolderLayout(listing, root: #require(Digest(vectors["\(name).root"] ?? [])))
  }

  /// Returns the numbers N of all values with a name `name.xN.field`.
  func indices(of prefix: String, _ field: String) -> [Int] {
    let start = "\(name).\(prefix)"
    return vectors.values.keys.compactMap { key in
      guard key.hasPrefix(start), key.hasSuffix(".\(field)") else { return nil }
      return Int(key.dropFirst(start.count).dropLast(field.count + 1))
    }.sorted()
  }

  func entry(_ index: Int) throws -> FolderEntry {
    let entry = "\(name).entry\(index)"
    let path = FolderPath(utf8: try #require(vectors["\(entry).path"]))
    let type = try vectors.number("\(entry).type")
    switch type {
    case 0, 1:
      let root = try #require(Digest(vectors["\(entry).root"] ?? []))
      let content = FileContent(length: try vectors.number("\(entry).length"), root: root)
      return FolderEntry(path, .file(content, isExecutable: type == 1))
    case 2:
      return FolderEntry(path, .symbolicLink(target: FolderPath(utf8: try #require(vectors["\(entry).target"]))))
    default:
      #expect(type == 3)
      return FolderEntry(path, .emptyFolder)
    }
  }

  /// Returns the bytes of a run of a file, in vectors that have file contents.
  func bytes(of run: FolderRun) -> ArraySlice<UInt8> {
    let end = Int(run.offset) + run.count
    return Vectors.content(end)[Int(run.offset)..<end]
  }

  /// Returns the hash of a large file's chunk in the folder `pages`, whose hashes are invented.
  func madeUpHash(of chunk: Int) -> Digest {
    let file = layout.largeFile(of: ChunkIndex(UInt32(chunk)))
    let path = listing.path(of: Int(file.entry)).utf8
    return sha256(Array("p2pnode-chunk".utf8) + path + bigEndian(UInt32(chunk) - file.firstChunk))
  }

  /// Returns the chunk hashes of a page, computed from published leaf hashes or invented.
  func chunkHashes(of page: PageIndex) throws -> [Digest] {
    try pages.chunks(of: page).map { chunk in
      if name == "pages" { return madeUpHash(of: chunk) }
      return chunks.chunkHash(try vectors.digests("\(name).chunk\(chunk).leaf-hashes"), of: ChunkIndex(UInt32(chunk)))
    }
  }
}

/// The vectors are read once, because the file is long.
private let read = Result { try readFolders() }

private func folders() throws -> [FolderVector] { try read.get() }

private func readFolders() throws -> [FolderVector] {
  let vectors = try Vectors("folder.txt")
  let names = vectors.values.keys.filter { $0.hasSuffix(".listing") }.map { String($0.dropLast(8)) }.sorted()
  try #require(names.count >= 10)
  return try names.map { try FolderVector($0, vectors) }
}

@Suite(.enabled(if: Vectors.arePresent, "needs Protocol/vectors"))
struct FolderVectorTests {
  @Test func `each published listing has the published entries and IDs, and its entries encode to it`() throws {
    for folder in try folders() {
      let (name, listing) = (folder.name, folder.listing)
      #expect(try listing.count == Int(folder.vectors.number("\(name).entries")))
      let entries = try (0..<listing.count).map { try folder.entry($0) }
      #expect(listing.indices.map { listing[$0] } == entries, "\(name)")
      #expect(listing.indices.map { listing.path(of: $0) } == entries.map(\.path), "\(name)")
      #expect(try FolderListing(entries) == listing && FolderListing(entries.reversed()) == listing, "\(name)")
      let root = try hash(listing.bytes, piece: 1 << 16).file
      #expect(root.root == folder.layout.listingRoot, "\(name)")
      #expect(folder.layout.folderID.digest.bytes == folder.vectors["\(name).folderID"], "\(name)")
      #expect(try listing.contentsLength == folder.vectors.number("\(name).length"), "\(name)")
      #expect(folder.layout.contentsID.digest.bytes == folder.vectors["\(name).contentsID"], "\(name)")
    }
  }

  @Test func `contents have the published chunks, runs and leaves`() throws {
    var runCount = 0
    for folder in try folders() {
      let (name, chunks) = (folder.name, folder.chunks)
      #expect(try chunks.chunkCount == Int(folder.vectors.number("\(name).chunks")), "\(name)")
      #expect(
        try folder.layout.sharedCount == Int(folder.vectors.number("\(name).shared-chunks")), "\(name)")
      for number in folder.indices(of: "chunk", "runs") {
        let chunk = ChunkIndex(UInt32(number))
        let value = "\(name).chunk\(number)"
        let runs = folder.layout.runs(at: chunks.offset(of: chunk), count: chunks.length(of: chunk))
        #expect(
          runs.flatMap { bigEndian(UInt32($0.entry)) + bigEndian($0.offset) + bigEndian(UInt64($0.count)) }
            == folder.vectors["\(value).runs"], "\(value)")
        let leaves = try folder.vectors.numbers("\(value).leaves", of: 2).map { Int($0) }
        #expect(chunks.leafCount(of: chunk) == leaves.count, "\(value)")
        #expect(
          leaves.indices.map { chunks.length(of: LeafRange(first: $0, count: 1), in: chunk) } == leaves, "\(value)")
        runCount += runs.count
      }
    }
    #expect(runCount > 40)
  }

  @Test func `chunks have the published leaf hashes, which verify file by file`() throws {
    var count = 0
    for folder in try folders() {
      let chunks = folder.chunks
      for number in folder.indices(of: "chunk", "leaf-hashes") {
        let chunk = ChunkIndex(UInt32(number))
        let value = "\(folder.name).chunk\(number)"
        let due = try folder.vectors.digests("\(value).leaf-hashes")
        let runs = folder.layout.runs(at: chunks.offset(of: chunk), count: chunks.length(of: chunk))
        let bytes = runs.flatMap { folder.bytes(of: $0) }
        let found = chunks.leafHashes(bytes.span.bytes, of: chunk)
        #expect(found == due, "\(value)")
        count += 1
        guard folder.layout.isShared(chunk) else { continue }
        let hash = try #require(folder.layout.knownHash(of: chunk))
        #expect(try LeafHashes(verifying: due, of: chunk, hash: hash, in: chunks).hashes == due, "\(value)")
        for leaf in due.indices {
          var wrong = due
          wrong[leaf] = wrong[leaf].flipped
          #expect(throws: LeafHashesFault.notThisChunk, "\(value), leaf \(leaf)") {
            try LeafHashes(verifying: wrong, of: chunk, hash: hash, in: chunks)
          }
        }
        let haveOneLeaf = runs.count == due.count
        #expect(folder.layout.knownLeafHashes(of: chunk) == (haveOneLeaf ? due : nil), "\(value)")
      }
    }
    #expect(count > 20)
  }

  @Test func `a frame with all leaves of a chunk has their hashes and bytes`() throws {
    var count = 0
    for folder in try folders() {
      for number in folder.indices(of: "chunk", "frame") {
        let chunk = ChunkIndex(UInt32(number))
        let frame = try #require(folder.vectors["\(folder.name).chunk\(number).frame"])
        let hashes = try #require(folder.vectors["\(folder.name).chunk\(number).leaf-hashes"])
        let chunks = folder.chunks
        let runs = folder.layout.runs(at: chunks.offset(of: chunk), count: chunks.length(of: chunk))
        let leaves = UInt8(chunks.leafCount(of: chunk))
        // First length and type; then the ID, first leaf, leaf count, flags and count of hashes.
        #expect(Array(frame[5..<13]) == bigEndian(UInt32(258)) + [0, leaves, 3, leaves])
        #expect(Array(frame[13..<13 + hashes.count]) == hashes)
        #expect(Array(frame[(13 + hashes.count)...]) == runs.flatMap { folder.bytes(of: $0) })
        count += 1
      }
    }
    #expect(count > 0, "the vectors name no frame")
  }

  @Test func `contents have the published pages, which verify file by file`() throws {
    var (count, frameCount) = (0, 0)
    for folder in try folders() {
      let (name, pages) = (folder.name, folder.pages)
      #expect(try pages.pageCount == Int(folder.vectors.number("\(name).pages")), "\(name)")
      for number in folder.indices(of: "page", "chunks") {
        let index = PageIndex(UInt32(number))
        let value = "\(name).page\(number)"
        let runs = try folder.vectors.numbers("\(value).chunks", of: 4)
        let files = try folder.vectors.numbers("\(value).files", of: 4)
        let trees = pages.trees(of: index)
        #expect(trees.flatMap { [UInt64($0.chunks.lowerBound), UInt64($0.chunks.count)] } == runs, "\(value)")
        #expect(
          trees.map { UInt64(folder.layout.largeFile(of: ChunkIndex(UInt32($0.chunks.lowerBound))).entry) } == files,
          "\(value)")
        #expect(try pages.uncleCount(of: index) == Int(folder.vectors.number("\(value).m")), "\(value)")
        count += 1
        guard folder.vectors["\(value).uncles"] != nil else { continue }
        let uncles = try folder.vectors.digests("\(value).uncles")
        let page = HashPage(index: index, chunkHashes: try folder.chunkHashes(of: index), uncles: uncles)
        try page.verify(against: folder.layout.listingRoot, in: pages)
        try refusesEveryLie(about: page, in: folder, value)
        guard let frame = folder.vectors["\(value).frame"] else { continue }
        var body = bigEndian(UInt32(number)) + bigEndian(UInt16(page.chunkHashes.count))
        for hash in page.chunkHashes { hash.append(to: &body) }
        body.append(UInt8(page.uncles.count))
        for hash in page.uncles { hash.append(to: &body) }
        #expect(Array(frame[4..<9]) == [8] + bigEndian(UInt32(7)) && Array(frame[9...]) == body, "\(value)")
        frameCount += 1
      }
    }
    #expect(count > 15 && frameCount > 5)
  }

  /// Checks that a page is refused if any file's hash, an uncle, or the number of uncles is wrong.
  private func refusesEveryLie(about page: HashPage, in folder: FolderVector, _ value: String) throws {
    let root = folder.layout.listingRoot
    let count = page.chunkHashes.count
    for place in Set([0, count - 1]) {
      var hashes = page.chunkHashes
      hashes[place] = hashes[place].flipped
      let wrong = HashPage(index: page.index, chunkHashes: hashes, uncles: page.uncles)
      #expect(throws: HashPageFault.notUnderRoot, "\(value)") { try wrong.verify(against: root, in: folder.pages) }
    }
    for place in page.uncles.indices {
      var uncles = page.uncles
      uncles[place] = uncles[place].flipped
      let wrong = HashPage(index: page.index, chunkHashes: page.chunkHashes, uncles: uncles)
      #expect(throws: HashPageFault.notUnderRoot, "\(value)") { try wrong.verify(against: root, in: folder.pages) }
    }
    let more = HashPage(index: page.index, chunkHashes: page.chunkHashes, uncles: page.uncles + [root])
    #expect(throws: HashPageFault.wrongUncleCount(page.uncles.count + 1), "\(value)") {
      try more.verify(against: root, in: folder.pages)
    }
    let fewer = HashPage(index: page.index, chunkHashes: page.chunkHashes.dropLast(), uncles: page.uncles)
    #expect(throws: HashPageFault.wrongChunkHashCount(count - 1), "\(value)") {
      try fewer.verify(against: root, in: folder.pages)
    }
  }
}

extension FolderListing {
  /// The numbers of all entries.
  var indices: Range<Int> { 0..<count }
}
