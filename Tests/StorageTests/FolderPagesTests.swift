// The chunk hashes that an update knows without a peer, so that it can serve the files that it kept.
import Content
import TestSupport
import Testing

@testable import Storage

@Suite struct FolderPagesTests {
  @Test func `pages are known if their files were kept or copied, and unknown if they have another file`() throws {
    let (kept, moved) = (pattern(2 << 20 + 5, seed: 1), pattern(3 << 20, seed: 2))
    let bench = UpdateBench(["kept": .file(kept), "from": .file(moved), "small": .file([1])])
    let sample = try SampleFolder(["kept": .file(kept), "to": .file(moved), "small": .file([1])])
    let update = try bench.begin(sample)
    let pages = update.knownPages
    #expect(update.missingFiles.isEmpty && pages.map(\.index) == [PageIndex(0)])
    for page in pages { try page.verify(against: sample.layout.listingRoot, in: PageLayout(sample.cut)) }
    try UpdateBench.finish(update)
    // A new file shares the page.
    let more = try SampleFolder(["kept": .file(kept), "new": .file(pattern(1 << 20 + 9, seed: 3))])
    let next = try bench.begin(more)
    #expect(next.knownPages.isEmpty)
    next.release()
  }

  @Test func `a new output knows the pages of copied files`() throws {
    var bench = UpdateBench(["store/x": .file(pattern(2_000_000))])
    bench.options.reusedFolders = [bench.out("store")]
    let sample = try SampleFolder(["a/b": .file(pattern(2_000_000)), "c": .file([3])])
    let part = try FolderPart(inFolder: bench.output, layout: sample.layout)
    #expect(part.knownPages.isEmpty)
    _ = try part.copyFiles(bench.options)
    #expect(part.knownPages.map(\.chunkHashes.count) == [2])
    try part.discard()
  }
}
