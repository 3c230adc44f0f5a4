// Which files of a folder are complete, compared with the verified leaves.
import Testing

@testable import Content

@Suite struct FolderCompletionTests {
  /// Verifies all wanted leaves of a random folder in random order, some of them twice, and other leaves too.
  private func run(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let model = FolderModel.random(&generator)
    let listing = try FolderListing(model.entries)
    let layout = try FolderLayout(
      listing, root: sha256(listing.bytes), chunkSize: model.chunkSize, leafSize: model.leafSize,
      chunksPerPage: model.chunksPerPage)
    let cut = ChunkLayout(layout)
    let isAll = generator.pick([true, false])
    let due = (0..<UInt32(cut.chunkCount)).map { chunk -> UInt64 in
      cut.leaves(of: ChunkIndex(chunk)).mask & (isAll ? .max : generator.next() & generator.pick([0, .max]))
    }
    var completion =
      isAll ? FolderCompletion(layout, due: nil) : FolderCompletion(layout) { due[Int($0.rawValue)] }
    let files = (0..<listing.count).filter { entry in
      listing.isFile(entry) && layout.places(ofFile: entry).contains { $0.leaves & due[Int($0.chunk.rawValue)] != 0 }
    }
    #expect(completion.fileCount == files.count, "seed \(seed)")
    var verified = [UInt64](repeating: 0, count: due.count)
    var complete: Set<Int> = []
    var open = due.indices.filter { due[$0] != 0 }
    while let chunk = open.randomElement(using: &generator) {
      let mask = cut.leaves(of: ChunkIndex(UInt32(chunk))).mask & generator.pick([generator.next(), .max])
      let new = completion.verified(
        mask & ~verified[chunk], of: ChunkIndex(UInt32(chunk)), before: verified[chunk], due: due[chunk])
      verified[chunk] |= mask
      for entry in new {
        #expect(complete.insert(Int(entry)).inserted, "seed \(seed): entry \(entry) is complete twice")
      }
      let whole = files.filter { entry in
        layout.places(ofFile: entry).allSatisfy { place in
          place.leaves & due[Int(place.chunk.rawValue)] & ~verified[Int(place.chunk.rawValue)] == 0
        }
      }
      #expect(complete == Set(whole) && completion.completeCount == complete.count, "seed \(seed)")
      if due[chunk] & ~verified[chunk] == 0 { open.removeAll { $0 == chunk } }
    }
    #expect(complete == Set(files), "seed \(seed)")
  }

  @Test func `each file with wanted leaves is complete once, with its last wanted leaf`() throws {
    for seed in 0..<200 as Range<UInt64> { try run(seed: seed) }
  }

  @Test func `files of a shared chunk are complete one by one, and a larger file with its last chunk`() throws {
    // Two files of two leaves in each chunk of four leaves, and a file of three chunks.
    let content = { (length: UInt64) in FileContent(length: length, root: Digest(sha256: [1].span.bytes)) }
    let entries = ["a", "b", "c", "d"].map { FolderEntry(FolderPath($0), .file(content(2), isExecutable: false)) }
    let large = FolderEntry(FolderPath("e"), .file(content(9), isExecutable: false))
    let listing = try FolderListing(entries + [large])
    let layout = try FolderLayout(listing, root: .zero, chunkSize: 4, leafSize: 1, chunksPerPage: 4)
    var completion = FolderCompletion(layout) { ChunkLayout(layout).leaves(of: $0).mask }
    #expect(completion.fileCount == 5)
    #expect(completion.verified(0b0111, of: ChunkIndex(0), before: 0, due: 0b1111) == [0])
    #expect(completion.verified(0b1000, of: ChunkIndex(0), before: 0b0111, due: 0b1111) == [1])
    #expect(completion.verified(0b1111, of: ChunkIndex(1), before: 0, due: 0b1111) == [2, 3])
    for chunk in [ChunkIndex(3), ChunkIndex(2)] {
      #expect(completion.verified(0b1111, of: chunk, before: 0, due: 0b1111) == [])
    }
    #expect(completion.verified(1, of: ChunkIndex(4), before: 0, due: 1) == [4])
    #expect(completion.completeCount == 5)
  }
}
