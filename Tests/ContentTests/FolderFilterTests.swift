// Filters of paths, and look-ups of paths in a listing.
import Testing

@testable import Content

@Suite struct FolderFilterTests {
  private func filter(_ rules: (isIncluding: Bool, pattern: String)...) throws -> FolderFilter {
    FolderFilter(
      try rules.map {
        let pattern = try #require(PathPattern($0.pattern))
        return $0.isIncluding ? .init(including: pattern) : .init(excluding: pattern)
      })
  }

  @Test func `a filter without rules includes every path`() {
    #expect(FolderFilter().includes("a/b"))
  }

  @Test func `the last rule that matches a path decides`() throws {
    let filter = try filter((false, "*.log"), (true, "keep.log"), (false, "old/**"))
    #expect(!filter.includes("a/x.log"))
    #expect(filter.includes("a/keep.log"))
    #expect(!filter.includes("old/keep.log"))
    #expect(filter.includes("a/x.txt"))
  }

  @Test func `a filter whose first rule includes leaves out the paths that no rule matches`() throws {
    let filter = try filter((true, "docs"), (false, "*.tmp"))
    #expect(filter.includes("docs/a"))
    #expect(!filter.includes("docs/a.tmp"))
    #expect(!filter.includes("src/a"))
  }

  @Test func `a filter selects entries of a listing`() throws {
    let paths = ["a/one", "a/two", "b", "c/one"]
    let listing = try FolderListing(paths.map { FolderEntry(FolderPath($0), .emptyFolder) })
    #expect(try filter((true, "one")).entries(of: listing).entries == [0, 3])
    #expect(try filter((false, "a")).entries(of: listing).entries == [2, 3])
    #expect(FolderFilter().entries(of: listing).count == 4)
    #expect(try filter((true, "none")).entries(of: listing).isEmpty)
  }

  @Test func `a listing distinguishes entries, folders and other paths`() throws {
    let paths = ["a-b", "a/one", "a/two/x", "b"]
    let listing = try FolderListing(paths.map { FolderEntry(FolderPath($0), .emptyFolder) })
    let order = (0..<listing.count).map { listing.path(of: $0).description }
    for path in paths { #expect(listing.lookUp(FolderPath(path)) == .entry(order.firstIndex(of: path)!)) }
    #expect(listing.lookUp(FolderPath("a")) == .folder(first: order.firstIndex(of: "a/one")!))
    #expect(listing.lookUp(FolderPath("a/two")) == .folder(first: order.firstIndex(of: "a/two/x")!))
    for path in ["", "a/o", "a/one/x", "a/tw", "c", "a-", "a/two/x/y"] {
      #expect(listing.lookUp(FolderPath(path)) == .nothing, "\(path)")
    }
  }
}
