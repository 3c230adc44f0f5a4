// Pages and leaf hashes of folders from a peer. Only those that lead to the roots of all their files are accepted.
@testable import Content

/// A folder of small files with all hashes. Chunks have 4 leaves of 2 bytes.
struct TinyFolder: Sendable {
  let pages: PageLayout
  let root: Digest
  /// By chunk.
  let leafHashes: [[Digest]]
  let truePages: [HashPage]
  var layout: ChunkLayout { pages.layout }

  init(lengths: [Int], chunksPerPage: Int) {
    let files = lengths.enumerated().map { number, length in
      (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ number &* 11) }
    }
    let hashes = files.map { bytes in
      var state = FileHashState(chunkSize: 8, leafSize: 2)
      guard (try? state.feed(bytes.span.bytes)) != nil else { fatalError("a tiny file is short") }
      return state.finish().file
    }
    let entries = hashes.enumerated().map { number, file in
      FolderEntry(
        FolderPath("\(100 + number)"), .file(FileContent(length: file.length, root: file.root), isExecutable: false))
    }
    guard let listing = try? FolderListing(entries),
      let folder = try? FolderLayout(
        listing, root: Digest(sha256: listing.bytes.span.bytes), chunkSize: 8, leafSize: 2, chunksPerPage: chunksPerPage
      )
    else { fatalError("a tiny folder breaks no rule") }
    let layout = ChunkLayout(folder)
    let pages = PageLayout(layout, chunksPerPage: chunksPerPage)
    leafHashes = (0..<UInt32(layout.chunkCount)).map { number in
      let chunk = ChunkIndex(number)
      let bytes = folder.runs(at: layout.offset(of: chunk), count: layout.length(of: chunk)).flatMap {
        files[$0.entry][Int($0.offset)..<Int($0.offset) + $0.count]
      }
      return layout.leafHashes(bytes.span.bytes, of: chunk)
    }
    truePages = (0..<UInt32(pages.pageCount)).map { number in
      let index = PageIndex(number)
      var (row, uncles): ([Digest], [Digest]) = ([], [])
      for part in pages.trees(of: index) {
        let entry = folder.runs(at: layout.offset(of: ChunkIndex(UInt32(part.chunks.lowerBound))), count: 1)[0].entry
        let first = Int(part.position) * chunksPerPage
        row += hashes[entry].chunkHashes[first..<first + part.chunks.count]
        let tree = HashTree(hashes[entry].layout, chunkHashes: hashes[entry].chunkHashes, chunksPerPage: chunksPerPage)!
        if part.uncleCount > 0 { uncles = tree.page(PageIndex(part.position))!.uncles }
      }
      return HashPage(index: index, chunkHashes: row, uncles: uncles)
    }
    self.pages = pages
    root = folder.listingRoot
  }

  static let all: [TinyFolder] = [
    ([1, 2, 3, 9, 0, 17], 2), ([40, 9, 9, 70], 4), ([9, 9, 9, 9], 16), ([100, 1], 1), ([8, 7, 6, 5, 33], 2),
  ].map { TinyFolder(lengths: $0.0, chunksPerPage: $0.1) }
}

enum FolderHashes {
  static let target = Target(
    "folder-hashes",
    seeds: { _ in TinyFolder.all.indices.flatMap { [[UInt8($0), 0, 0, 0, 0], [UInt8($0), 1, 1, 0, 0]] } }, run)

  private static func run(_ bytes: [UInt8]) {
    var input = Input(bytes)
    let folder = TinyFolder.all[input.number(below: TinyFolder.all.count)]
    if input.u8() & 1 == 0 { page(of: folder, &input) } else { leafHashes(of: folder, &input) }
  }

  private static func page(of folder: TinyFolder, _ input: inout Input) {
    let honest = folder.truePages[input.number(below: folder.truePages.count)]
    var (hashes, uncles) = (honest.chunkHashes, honest.uncles)
    hashes.spoil(&input)
    uncles.spoil(&input)
    let index = input.u8() == 0 ? honest.index : PageIndex(input.u32())
    let page = HashPage(index: index, chunkHashes: hashes, uncles: uncles)
    var fault: HashPageFault?
    do throws(HashPageFault) { try page.verify(against: folder.root, in: folder.pages) } catch { fault = error }
    require((fault == nil) == folder.truePages.contains(page), "a page of the folder is taken, and nothing else")
  }

  private static func leafHashes(of folder: TinyFolder, _ input: inout Input) {
    let index = input.number(below: folder.layout.chunkCount)
    let chunk = ChunkIndex(UInt32(index))
    let hash = folder.layout.chunkHash(folder.leafHashes[index], of: chunk)
    if let known = folder.layout.folder?.knownHash(of: chunk) {
      require(known == hash, "the hash of a shared chunk is that of its files' roots")
    }
    var hashes = folder.leafHashes[index]
    hashes.spoil(&input)
    var isTaken = true
    do throws(LeafHashesFault) {
      _ = try LeafHashes(verifying: hashes, of: chunk, hash: hash, in: folder.layout)
    } catch {
      isTaken = false
    }
    require(isTaken == (hashes == folder.leafHashes[index]), "leaf hashes of the chunk are taken, and nothing else")
  }
}
