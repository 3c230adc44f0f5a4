// What patterns of paths match, and that no pattern takes long.
import Testing

@testable import Content

@Suite struct PathPatternTests {
  static let cases: [(pattern: String, path: String, matches: Bool)] = [
    ("a", "a", true), ("a", "x/a", true), ("a", "a/x", true), ("a", "ab", false),
    ("*.log", "x/y.log", true), ("*.log", "y.log/z", true), ("*.log", "y.logs", false), ("*.log", ".log", true),
    ("/a", "a", true), ("/a", "a/b", true), ("/a", "x/a", false), ("a/", "x/a/b", true), ("a/b", "a/b/c", true),
    ("a/*", "a/b", true), ("a/*", "a", false), ("a/*/c", "a/b/c", true), ("a/*/c", "a/b/d/c", false),
    ("a/**/c", "a/b/d/c", true), ("**/c", "c", false), ("**/c", "a/b/c", true), ("/**", "a/b", true),
    ("?", "é", true), ("??", "é", false), ("a?c", "a/c", false), ("[a-c]x", "bx", true), ("[a-c]x", "dx", false),
    ("[!a-c]x", "dx", true), ("[!a]", "é", true), ("[]a]", "]", true), ("\\*", "*", true), ("\\*", "a", false),
  ]

  @Test(arguments: cases) func `a pattern matches names or paths`(
    sample: (pattern: String, path: String, matches: Bool)
  )
    throws
  {
    let pattern = try #require(PathPattern(sample.pattern))
    #expect(pattern.matches(sample.path) == sample.matches, "\(sample)")
  }

  @Test(arguments: ["", "/", "[", "[a", "[]", "\\", "[b-a]", "[é]"])
  func `a malformed pattern is refused`(text: String) {
    #expect(PathPattern(text) == nil)
  }

  @Test func `matching many stars takes no longer than the product of both lengths`() throws {
    let pattern = try #require(PathPattern(String(repeating: "*a", count: 40) + "b"))
    #expect(!pattern.matches(String(repeating: "a", count: 400)))
  }
}
