// The listing of a folder: what it includes, what it leaves out, and that equal trees have equal listings.
import Content
import Glibc
import Posix
import TestSupport
import Testing

@testable import Storage

@Suite struct FolderListerTests {
  let temporary = TemporaryFolder()

  /// Lists a folder below the temporary one. The content of a file depends only on its size.
  private func list(_ path: String = "", rules: ServingRules = ServingRules()) throws -> MadeListing {
    try FolderLister.list(path, of: try ServedFolder(temporary.path, rules: rules)) { _, status in
      .content(content(Int(status.size)))
    }
  }

  private func content(_ size: Int) -> FileContent {
    FileContent(length: UInt64(size), root: size == 0 ? .zero : Digest(sha256: [UInt8(size)].span.bytes))
  }

  private func file(_ path: String, _ size: Int, isExecutable: Bool = false) -> FolderEntry {
    FolderEntry(FolderPath(path), .file(content(size), isExecutable: isExecutable))
  }

  private func entries(_ made: MadeListing) -> [FolderEntry] { (0..<made.listing.count).map { made.listing[$0] } }

  @Test func `a listing has files, executable files, links and empty folders in listing order`() throws {
    temporary.write("a.b", pattern(1))
    temporary.write("a/z", pattern(2))
    temporary.write("a/run", pattern(3), mode: 0o744)
    temporary.write("a/other", pattern(4), mode: 0o654)
    temporary.write("empty", [])
    mkdir(temporary("none"), 0o755)
    mkdir(temporary("a/none"), 0o755)
    symlink("../a.b", temporary("a/link"))
    let made = try list()
    let expected = [
      FolderEntry(FolderPath("a/link"), .symbolicLink(target: FolderPath("../a.b"))),
      FolderEntry(FolderPath("a/none"), .emptyFolder), file("a/other", 4), file("a/run", 3, isExecutable: true),
      file("a/z", 2), file("a.b", 1), file("empty", 0), FolderEntry(FolderPath("none"), .emptyFolder),
    ]
    #expect(entries(made) == expected)
    #expect(try made.listing == FolderListing(expected))
    #expect(made.leftOut.isEmpty)
  }

  @Test func `trees that were made in another order have the same listing`() throws {
    let names = ["x/b", "x/a", "a", "y/y/y", "é", "x/Z"]
    for name in names { temporary.write(name, pattern(name.utf8.count)) }
    let other = TemporaryFolder()
    for name in names.reversed() { other.write(name, pattern(name.utf8.count)) }
    let again = try FolderLister.list("", of: try ServedFolder(other.path)) { _, status in
      .content(content(Int(status.size)))
    }
    #expect(try list().listing == again.listing)
  }

  @Test func `the listing of a subfolder has paths relative to the subfolder`() throws {
    temporary.write("x/y/a", pattern(1))
    temporary.write("x/b", pattern(2))
    temporary.write("xy", pattern(3))
    #expect(entries(try list("x")) == [file("b", 2), file("y/a", 1)])
    #expect(entries(try list("x/y")) == [file("a", 1)])
  }

  @Test func `a link out of the listed folder is left out, and its folder is listed as empty`() throws {
    temporary.write("a", pattern(1))
    mkdir(temporary("x"), 0o755)
    mkdir(temporary("x/y"), 0o755)
    symlink("../../a", temporary("x/y/up"))
    for (name, target) in [("absolute", "/etc/passwd"), ("out", "../x"), ("dot", "./a"), ("later", "x/../a")] {
      symlink(target, temporary(name))
    }
    let all = try list()
    #expect(entries(all).map(\.path.description) == ["a", "x/y/up"])
    #expect(all.leftOut.counts == [.link: 4])
    let below = try list("x")
    #expect(entries(below) == [FolderEntry(FolderPath("y"), .emptyFolder)])
    #expect(below.leftOut.counts == [.link: 1])
  }

  @Test func `hidden entries, special files and invalid names are left out and counted`() throws {
    temporary.write("a", pattern(1))
    temporary.write(".hidden", pattern(1))
    temporary.write(".folder/b", pattern(2))
    temporary.write(".0123456789abcdef.p2p-part", pattern(1))
    temporary.write(".0123456789abcdef.p2p-journal", pattern(1))
    mkfifo(temporary("fifo"), 0o600)
    var odd = temporary("").utf8.map { CChar(bitPattern: $0) } + [CChar(bitPattern: 0xFF), 0]
    close(open(&odd, O_CREAT | O_WRONLY, 0o600))
    let made = try list()
    #expect(entries(made) == [file("a", 1)])
    #expect(made.leftOut.counts == [.hidden: 2, .special: 1, .name: 1])
    let hidden = try list(rules: ServingRules(includesHidden: true))
    #expect(entries(hidden) == [file(".folder/b", 2), file(".hidden", 1), file("a", 1)])
    #expect(hidden.leftOut.counts == [.special: 1, .name: 1])
  }

  @Test func `a folder whose entries are all left out is listed as empty`() throws {
    temporary.write("x/.hidden", pattern(1))
    #expect(entries(try list()) == [FolderEntry(FolderPath("x"), .emptyFolder)])
  }

  @Test func `excluded files and folders are left out`() throws {
    for name in ["a.log", "x/b.log", "x/c", "build/d", "x/build/e"] { temporary.write(name, pattern(1)) }
    let patterns = try ["*.log", "/build"].map { try #require(PathPattern($0)) }
    let made = try list(rules: ServingRules(excluded: patterns))
    #expect(entries(made).map(\.path.description) == ["x/build/e", "x/c"])
    #expect(made.leftOut.counts == [.excluded: 3])
  }

  @Test func `if links are followed, a link to a file is listed as a file, and other links as links`() throws {
    temporary.write("blobs/1", pattern(7), mode: 0o755)
    symlink("blobs/1", temporary("model"))
    symlink("blobs", temporary("folder"))
    symlink("nothing", temporary("dangling"))
    let outside = TemporaryFolder()
    outside.write("far", pattern(9))
    symlink(outside("far"), temporary("far"))
    let made = try list(rules: ServingRules(followsLinks: true))
    #expect(
      entries(made) == [
        file("blobs/1", 7, isExecutable: true),
        FolderEntry(FolderPath("dangling"), .symbolicLink(target: FolderPath("nothing"))), file("far", 9),
        FolderEntry(FolderPath("folder"), .symbolicLink(target: FolderPath("blobs"))),
        file("model", 7, isExecutable: true),
      ])
  }

  @Test func `a file that changes stops the listing, and a file marked as left out is counted`() throws {
    temporary.write("a", pattern(1))
    temporary.write("b", pattern(2))
    let folder = try ServedFolder(temporary.path)
    #expect(throws: ListingError.changing(path: "b")) {
      try FolderLister.list("", of: folder) { path, _ in path == "b" ? .changing : .content(content(1)) }
    }
    let made = try FolderLister.list("", of: folder) { path, _ in
      path == "b" ? .leftOut(.changing) : .content(content(1))
    }
    #expect(entries(made) == [file("a", 1)] && made.leftOut.counts == [.changing: 1])
    #expect(throws: ListingError.self) { try list("none") }
  }
}
