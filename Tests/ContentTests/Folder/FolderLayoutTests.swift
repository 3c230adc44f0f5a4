// The layouts of random folders, compared with a simpler and slower model.
import Testing

@testable import Content

/// A random tree, its listing, its layout and the layout of the model.
private struct Cut {
  let seed: UInt64
  let model: FolderModel
  let folder: FolderLayout
  let chunks: ChunkLayout
  let pages: PageLayout
  var generator: TestGenerator

  init(seed: UInt64) throws {
    self.seed = seed
    generator = TestGenerator(seed: seed)
    model = FolderModel.random(&generator)
    let listing = try FolderListing(model.entries)
    folder = try FolderLayout(
      listing, root: sha256(listing.bytes), chunkSize: model.chunkSize, leafSize: model.leafSize,
      chunksPerPage: model.chunksPerPage)
    chunks = ChunkLayout(folder)
    pages = PageLayout(chunks, chunksPerPage: model.chunksPerPage)
  }

  var allChunks: [ChunkIndex] { (0..<UInt32(chunks.chunkCount)).map { ChunkIndex($0) } }
}

private func forEachSeed(_ check: (inout Cut) throws -> Void) throws {
  for seed in 0..<100 as Range<UInt64> {
    var cut = try Cut(seed: seed)
    try check(&cut)
  }
}

@Suite struct FolderLayoutTests {
  @Test func `a listing of any entries is read back as the same entries and bytes`() throws {
    try forEachSeed { cut in
      let listing = try FolderListing(cut.model.entries.shuffled(using: &cut.generator))
      #expect(listing == cut.folder.listing, "seed \(cut.seed)")
      let again = try FolderListing(decoding: listing.bytes)
      #expect((0..<again.count).map { again[$0] } == cut.model.entries, "seed \(cut.seed)")
      let entries = (0..<listing.count).map { listing[$0] }
      #expect(try FolderListing(entries).bytes == listing.bytes, "seed \(cut.seed)")
    }
  }

  @Test func `runs cover the contents once and in order`() throws {
    try forEachSeed { cut in
      let contents = cut.model.contents
      #expect(Int(cut.chunks.fileLength) == contents.count, "seed \(cut.seed)")
      for _ in 0..<10 {
        let start = Int.random(in: 0...contents.count, using: &cut.generator)
        let end = cut.generator.pick([contents.count, Int.random(in: start...contents.count, using: &cut.generator)])
        let runs = cut.folder.runs(at: UInt64(start), count: end - start)
        let bytes = runs.flatMap { run in (0..<run.count).map { (run.entry, Int(run.offset) + $0) } }
        #expect(bytes.elementsEqual(contents[start..<end]) { $0.0 == $1.entry && $0.1 == $1.offset })
        // Neighbouring runs belong to different files, so no run is split without need.
        #expect(zip(runs, runs.dropFirst()).allSatisfy { $0.entry != $1.entry }, "seed \(cut.seed)")
      }
    }
  }

  @Test func `chunks and leaves have the offsets and lengths of the model`() throws {
    try forEachSeed { cut in
      #expect(cut.chunks.chunkCount == cut.model.chunks.count && cut.folder.sharedCount == cut.model.sharedCount)
      var offset: UInt64 = 0
      for chunk in cut.allChunks {
        let leaves = cut.model.chunks[Int(chunk.rawValue)]
        #expect(cut.chunks.offset(of: chunk) == offset && cut.chunks.leafCount(of: chunk) == leaves.count)
        #expect(cut.chunks.length(of: chunk) == leaves.reduce(0) { $0 + $1.count }, "seed \(cut.seed)")
        let mask = cut.generator.next() & cut.chunks.leaves(of: chunk).mask
        #expect(
          cut.chunks.length(ofLeaves: mask, in: chunk)
            == leaves.indices.reduce(0) { $0 + (mask & 1 << UInt64($1) != 0 ? leaves[$1].count : 0) })
        for first in leaves.indices {
          #expect(cut.chunks.offset(ofLeaf: first, in: chunk) == offset, "seed \(cut.seed)")
          let end = Int.random(in: first + 1...leaves.count, using: &cut.generator)
          let range = LeafRange(first: first, count: end - first)
          #expect(cut.chunks.length(of: range, in: chunk) == leaves[first..<end].reduce(0) { $0 + $1.count })
          offset += UInt64(leaves[first].count)
        }
      }
      #expect(offset == cut.chunks.fileLength && !cut.chunks.contains(ChunkIndex(UInt32(cut.chunks.chunkCount))))
    }
  }

  @Test func `a run of leaves is the longest that fits`() throws {
    try forEachSeed { cut in
      for chunk in cut.allChunks {
        let leaves = cut.model.chunks[Int(chunk.rawValue)]
        let most = Int.random(in: cut.model.leafSize...cut.model.chunkSize, using: &cut.generator)
        let runs = cut.chunks.runs(of: chunk, byteCountMax: most)
        #expect(runs.flatMap { $0.first..<$0.end } == Array(leaves.indices), "seed \(cut.seed)")
        for run in runs {
          let bytes = cut.chunks.length(of: run, in: chunk)
          #expect(bytes <= most, "seed \(cut.seed)")
          // In a run of a large file, each leaf counts as full.
          guard cut.folder.isShared(chunk), run.end < leaves.count else { continue }
          #expect(bytes + leaves[run.end].count > most, "seed \(cut.seed)")
        }
        let first = Int.random(in: leaves.indices, using: &cut.generator)
        let end = Int.random(in: first + 1...leaves.count, using: &cut.generator)
        let least = cut.chunks.run(from: first, to: end, byteCountMax: 1, in: chunk)
        #expect(least.first == first && least.end <= end, "at least one leaf, and none beyond the end")
      }
    }
  }

  @Test func `the number of chunks below an offset counts those that end at the offset or before it`() throws {
    try forEachSeed { cut in
      var ends: [Int] = []
      for chunk in cut.model.chunks { ends.append((ends.last ?? 0) + chunk.reduce(0) { $0 + $1.count }) }
      let some = (0..<20).map { _ in Int.random(in: 0...Int(cut.chunks.fileLength) + 1, using: &cut.generator) }
      for place in [0] + ends + ends.map({ $0 - 1 }) + some {
        #expect(cut.chunks.chunkCount(below: UInt64(place)) == ends.count { $0 <= place }, "seed \(cut.seed), \(place)")
      }
    }
  }

  @Test func `the places of a file hold the bytes of that file and no others`() throws {
    try forEachSeed { cut in
      for entry in cut.model.files.indices where cut.folder.listing.isFile(entry) {
        let due = cut.model.chunks.enumerated().compactMap { chunk, leaves -> [UInt64]? in
          let mask = leaves.indices.reduce(UInt64(0)) { leaves[$1].entry == entry ? $0 | 1 << UInt64($1) : $0 }
          return mask == 0 ? nil : [UInt64(chunk), mask]
        }
        let places = cut.folder.places(ofFile: entry)
        #expect(places.map { [UInt64($0.chunk.rawValue), $0.leaves] } == due, "seed \(cut.seed), entry \(entry)")
        guard !cut.model.files[entry].isEmpty else { continue }
        let start = cut.model.contents.firstIndex { $0.entry == entry }
        #expect(start.map { UInt64($0) } == cut.folder.offset(ofFile: entry), "seed \(cut.seed), entry \(entry)")
      }
    }
  }

  @Test func `pages hold the chunks of the model, and every chunk knows its page`() throws {
    try forEachSeed { cut in
      #expect(cut.pages.pageCount == cut.model.pages.count, "seed \(cut.seed)")
      for (page, ranges) in cut.model.pages.enumerated() {
        let index = PageIndex(UInt32(page))
        #expect(cut.pages.contains(index) && cut.pages.trees(of: index).map(\.chunks) == ranges, "seed \(cut.seed)")
        #expect(cut.pages.chunks(of: index) == ranges[0].lowerBound..<ranges[ranges.count - 1].upperBound)
        for chunk in ranges.joined() { #expect(cut.pages.page(of: ChunkIndex(UInt32(chunk))) == index) }
      }
      #expect(!cut.pages.contains(PageIndex(UInt32(cut.model.pages.count))))
      for chunk in cut.folder.sharedChunks { #expect(cut.pages.page(of: chunk) == nil) }
      #expect(cut.folder.sharedChunks.map { Int($0.rawValue) } == Array(0..<cut.model.sharedCount))
    }
  }

  @Test func `true hashes verify, and one wrong hash in any file of a page or chunk is refused`() throws {
    try forEachSeed { cut in
      var known = KnownChunkHashes(cut.pages)
      for index in cut.model.pages.indices {
        let page = cut.model.page(index)
        try page.verify(against: cut.folder.listingRoot, in: cut.pages)
        known.add(page)
        var hashes = page.chunkHashes
        let place = Int.random(in: hashes.indices, using: &cut.generator)
        hashes[place] = hashes[place].flipped
        let wrong = HashPage(index: page.index, chunkHashes: hashes, uncles: page.uncles)
        #expect(throws: HashPageFault.notUnderRoot, "seed \(cut.seed)") {
          try wrong.verify(against: cut.folder.listingRoot, in: cut.pages)
        }
      }
      for chunk in cut.allChunks {
        let number = Int(chunk.rawValue)
        let bytes = cut.model.bytes(of: number)
        let due = cut.model.leafHashes(of: number)
        let found = cut.chunks.leafHashes(bytes.span.bytes, of: chunk)
        #expect(found == due, "seed \(cut.seed), chunk \(number)")
        let first = Int.random(in: due.indices, using: &cut.generator)
        let tail = bytes[cut.model.chunks[number][..<first].reduce(0) { $0 + $1.count }...]
        let rest = cut.chunks.leafHashes(Array(tail).span.bytes, from: first, of: chunk)
        #expect(rest == Array(due[first...]), "seed \(cut.seed), chunk \(number)")
        let hash = try #require(known.hash(of: chunk), "seed \(cut.seed), chunk \(number)")
        let leaves = try LeafHashes(verifying: due, of: chunk, hash: hash, in: cut.chunks)
        let isMatched = leaves.match(bytes.span.bytes, at: cut.chunks.leaves(of: chunk))
        #expect(isMatched, "seed \(cut.seed), chunk \(number)")
        var wrong = due
        wrong[first] = wrong[first].flipped
        #expect(throws: LeafHashesFault.notThisChunk, "seed \(cut.seed), chunk \(number)") {
          try LeafHashes(verifying: wrong, of: chunk, hash: hash, in: cut.chunks)
        }
      }
    }
  }

  @Test func `leaf hashes of a shared chunk are known if each of its files has one leaf`() throws {
    var knownCount = 0
    try forEachSeed { cut in
      for chunk in cut.allChunks {
        let leaves = cut.model.chunks[Int(chunk.rawValue)]
        let isKnown = Int(chunk.rawValue) < cut.model.sharedCount && Set(leaves.map(\.entry)).count == leaves.count
        let due = isKnown ? cut.model.leafHashes(of: Int(chunk.rawValue)) : nil
        #expect(cut.folder.knownLeafHashes(of: chunk) == due, "seed \(cut.seed)")
        if isKnown { knownCount += 1 }
      }
    }
    #expect(knownCount > 50, "the trees have such chunks")
  }

  @Test func `a page is known if the chunk hashes of all its files are known`() throws {
    var lostCount = 0
    try forEachSeed { cut in
      let pages = cut.model.pages.indices.map { cut.model.page($0) }
      var hashes: [Int: [Digest]] = [:]
      var entries: [[Int]] = []
      for page in pages {
        let first = cut.pages.chunks(of: page.index).lowerBound
        entries.append([])
        for tree in cut.pages.trees(of: page.index) {
          let entry = Int(cut.folder.largeFile(of: ChunkIndex(UInt32(tree.chunks.lowerBound))).entry)
          hashes[entry, default: []] +=
            page.chunkHashes[tree.chunks.lowerBound - first..<tree.chunks.upperBound - first]
          entries[entries.count - 1].append(entry)
        }
      }
      #expect(cut.folder.pages(knowing: hashes) == pages, "seed \(cut.seed)")
      guard let lost = hashes.keys.min() else { return }
      hashes[lost] = nil
      let rest = zip(pages, entries).filter { !$0.1.contains(lost) }.map(\.0)
      #expect(cut.folder.pages(knowing: hashes) == rest, "seed \(cut.seed)")
      lostCount += 1
    }
    #expect(lostCount > 20, "the trees have large files")
  }
}
