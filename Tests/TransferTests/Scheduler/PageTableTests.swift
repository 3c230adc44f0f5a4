// The table of pages: whether the chunks of a page are being compared with the disk.
import Content
import Testing

@testable import Transfer

@Suite struct PageTableTests {
  private let page = PageIndex(0)

  @Test func `a page that arrived is being compared until it is verified`() {
    var pages = PageTable(PageLayout(ChunkLayout(fileLength: 10 << 20)!, chunksPerPage: 4))
    #expect(!pages.isComparing)
    pages.arrive(page)
    #expect(pages.isComparing)
    #expect(pages.verify(page) && !pages.isComparing)
  }

  @Test func `shared chunks are being compared until the caller ends the comparison`() {
    var pages = PageTable(PageLayout(ChunkLayout(fileLength: 10 << 20)!, chunksPerPage: 4))
    pages.compareSharedChunks()
    pages.hold(page)
    #expect(pages.verify(page) && pages.isComparing)
    pages.sharedChunksCompared()
    #expect(!pages.isComparing)
  }
}
