// Folder listings from any bytes, or from an invented tree. An accepted listing follows all rules of section 17 of
// `Protocol/README.md` and has one encoding. Its files are cut without gap or overlap.
@testable import Content

enum FolderListings {
  static let target = Target(
    "folder-listing",
    seeds: { vectors in
      let listings = vectors.examples("folder") { $0.hasSuffix(".listing") } + vectors.examples("invalid/folder")
      return listings.filter { $0.count < 4096 }.map { [0] + $0 }
        + [
          [1, 2, 1, 5, 0, 9, 1, 0, 4, 3], [1, 0, 0, 40, 3, 2, 1, 7, 9, 2, 1, 1, 5, 0, 255, 3, 1], [3, 5, 2, 0, 7, 1],
        ]
    }, run)

  private static func run(_ bytes: [UInt8]) {
    var input = Input(bytes)
    let kind = input.u8()
    if kind & 1 == 1 { return run(entries(&input), isReversed: kind & 2 != 0) }
    let listing = input.rest()
    do throws(FolderListingFault) {
      let decoded = try FolderListing(decoding: listing)
      require(FolderRules.allow(listing), "bytes that break a rule are refused")
      check(decoded)
    } catch {
      require(!FolderRules.allow(listing), "a listing that breaks no rule is taken: \(error)")
    }
  }

  /// Makes a listing from entries that may break any rule.
  private static func run(_ entries: [FolderEntry], isReversed: Bool) {
    do throws(FolderListingFault) {
      let listing = try FolderListing(isReversed ? entries.reversed() : entries)
      require(FolderRules.allow(listing.bytes), "entries that break a rule are refused")
      check(listing)
    } catch {
      require(error.entry.map { $0 < entries.count } ?? true, "a fault names an entry that is there")
    }
  }

  private static func entries(_ input: inout Input) -> [FolderEntry] {
    var entries: [FolderEntry] = []
    while !input.isAtEnd {
      let (type, path) = (input.u8(), path(&input))
      switch type & 3 {
      case 2: entries.append(FolderEntry(path, .symbolicLink(target: self.path(&input))))
      case 3: entries.append(FolderEntry(path, .emptyFolder))
      default:
        let length = type & 16 == 0 ? UInt64(input.u8()) : input.u64() >> UInt64(type >> 5 * 8)
        let hasRoot = (length > 0) != (type & 8 != 0)
        let root = hasRoot ? Digest(sha256: [type].span.bytes) : .zero
        let content = FileContent(length: length, root: root)
        entries.append(FolderEntry(path, .file(content, isExecutable: type & 1 == 1)))
      }
    }
    return entries
  }

  private static let names = [
    "a", "b", "..", ".", "", "a.b", "é", "\0", "a b", "~", String(repeating: "n", count: 256),
  ]

  private static func path(_ input: inout Input) -> FolderPath {
    let shape = input.u8()
    if shape == 255 { return FolderPath(utf8: input.take(3)) }
    let components = (0...Int(shape & 3)).map { _ in names[input.number(below: names.count)] }
    return FolderPath(components.joined(separator: "/"))
  }

  // MARK: Accepted listings

  private static func check(_ listing: FolderListing) {
    let entries = (0..<listing.count).map { listing[$0] }
    do throws(FolderListingFault) {
      require(try FolderListing(entries).bytes == listing.bytes, "a listing has one form")
      require(try FolderListing(decoding: listing.bytes) == listing, "a listing that was taken is taken again")
    } catch {
      require(false, "entries of a listing make a listing: \(error)")
    }
    for (before, after) in zip(entries, entries.dropFirst()) {
      require(before.path < after.path && !after.path.isBelow(before.path), "paths ascend, and none is below another")
    }
    let sum = entries.reduce(UInt64(0)) { $0 + ($1.file?.length ?? 0) }
    require(sum == listing.contentsLength && sum <= 1 << 42, "the lengths add up, within the limit")
    check(listing, chunkSize: 1 << 20, leafSize: 1 << 14, chunksPerPage: 1024)
    if sum <= 4096 { check(listing, chunkSize: 8, leafSize: 2, chunksPerPage: 2) }
  }

  private static func check(_ listing: FolderListing, chunkSize: Int, leafSize: Int, chunksPerPage: Int) {
    do throws(FolderListingFault) {
      let folder = try FolderLayout(
        listing, root: .zero, chunkSize: chunkSize, leafSize: leafSize, chunksPerPage: chunksPerPage)
      let chunks = ChunkLayout(folder)
      require(chunks.chunkCount <= 1 << 22, "a content has so many chunks at most")
      // Very long contents have too many chunks to check each.
      if chunks.chunkCount <= 4096 {
        FolderCuts.check(folder, chunks, PageLayout(chunks, chunksPerPage: chunksPerPage))
      }
    } catch {
      require(error.rule == .tooManyChunks, "only the number of chunks is checked by a layout")
    }
  }
}

/// The properties that each layout must have.
private enum FolderCuts {
  static func check(_ folder: FolderLayout, _ chunks: ChunkLayout, _ pages: PageLayout) {
    let listing = folder.listing
    var nextOffset: [Int: UInt64] = [:]
    var (end, nextPage) = (UInt64(0), 0)
    for number in 0..<UInt32(chunks.chunkCount) {
      let chunk = ChunkIndex(number)
      let length = chunks.length(of: chunk)
      require(chunks.offset(of: chunk) == end && length > 0, "chunks follow one another")
      require(chunks.chunkCount(below: end) == Int(number), "a place is in its chunk")
      for run in folder.runs(at: end, count: length) {
        require(run.offset == nextOffset[run.entry, default: 0], "a file's bytes come in order")
        nextOffset[run.entry] = run.offset + UInt64(run.count)
      }
      let leaves = (0..<chunks.leafCount(of: chunk)).map {
        chunks.length(of: LeafRange(first: $0, count: 1), in: chunk)
      }
      require(leaves.reduce(0, +) == length && leaves.allSatisfy { $0 > 0 }, "leaves are the chunk")
      require(leaves.count <= chunks.leavesPerChunk && leaves.max()! <= chunks.leafSize, "leaves are bounded")
      if let page = pages.page(of: chunk) {
        require(pages.chunks(of: page).contains(Int(number)), "a page has its chunks")
        require(page.rawValue == nextPage || Int(page.rawValue) == nextPage - 1, "pages follow one another")
        nextPage = Int(page.rawValue) + 1
      } else {
        require(folder.knownHash(of: chunk) != nil && nextPage == 0, "the hash of a shared chunk is known")
      }
      end += UInt64(length)
    }
    require(end == listing.contentsLength && nextPage == pages.pageCount, "chunks cover the contents")
    for entry in 0..<listing.count where listing.isFile(entry) {
      let length = listing.fileLength(of: entry)
      require(nextOffset[entry, default: 0] == length, "runs cover every file")
      let bytes = folder.places(ofFile: entry).reduce(0) { $0 + chunks.length(ofLeaves: $1.leaves, in: $1.chunk) }
      require(UInt64(bytes) == length, "the places of a file hold its bytes")
    }
  }
}
