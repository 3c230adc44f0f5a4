// Paths are ordered by their components and know which paths lie below them.
import Testing

@testable import Content

@Suite struct FolderPathTests {
  @Test func `paths are sorted by their components, compared as bytes`() {
    let paths = [
      "a", "a/b", "a.b", "b", "a/b/c", "a/b.c", "ab", "a b", "A", "é", "e\u{301}", "z", "\u{10000}", "\u{FFFF}",
    ]
    .map { FolderPath($0) }
    for a in paths {
      for b in paths {
        let byComponents = a.components.lexicographicallyPrecedes(b.components) {
          $0.utf8.lexicographicallyPrecedes($1.utf8)
        }
        #expect((a < b) == byComponents, "\(a) and \(b)")
      }
    }
  }

  @Test func `a path knows its parent, its name and the paths below it`() {
    let path = FolderPath("a/b/c")
    #expect(path.parent == FolderPath("a/b") && path.name == FolderPath("c"))
    #expect(FolderPath("a").parent == nil && FolderPath("a").name == FolderPath("a"))
    #expect(path.isBelow(FolderPath("a")) && path.isBelow(FolderPath("a/b")))
    #expect(!path.isBelow(path) && !path.isBelow(FolderPath("a/b/c/d")) && !path.isBelow(FolderPath("b")))
    #expect(!FolderPath("ab").isBelow(FolderPath("a")) && !FolderPath("a.b/c").isBelow(FolderPath("a")))
    #expect(FolderPath("a//b").components == [FolderPath("a"), FolderPath(""), FolderPath("b")])
  }
}
