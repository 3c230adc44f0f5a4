// `Protocol/vectors/rules.txt` lists the cases of each rule that ends a connection. Each case has its rule.
import Foundation
import TestSupport
import Testing

@Suite struct RuleVectorTests {
  private struct Rule {
    let words: String
    /// Pairs of a vector file and a pattern for names in it. Empty if there is a reason why the rule has no cases.
    let cases: [(path: String, name: String)]
  }

  private let rules: [Rule]
  private let text: String

  init() throws {
    text = try ["README", "links", "discovery"].map { try VectorFile.text("\($0).md") }.joined(separator: " ")
      .split(whereSeparator: \.isWhitespace).joined(separator: " ")
    rules = try VectorFile.text("vectors/rules.txt").split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
      let sides = line.components(separatedBy: " => ")
      try #require(sides.count == 2, "\(line)")
      if sides[1].hasPrefix("none: ") { return Rule(words: sides[0], cases: []) }
      let cases = try sides[1].split(separator: " ").map { item in
        let parts = item.split(separator: ":").map(String.init)
        try #require(parts.count == 2, "\(item)")
        return (path: parts[0], name: parts[1])
      }
      return Rule(words: sides[0], cases: cases)
    }
  }

  /// Whether a name matches a pattern, in which `*` stands for any text.
  private func isName(_ name: String, of pattern: String) -> Bool {
    let parts = pattern.components(separatedBy: "*")
    guard parts.count > 1 else { return name == pattern }
    guard name.hasPrefix(parts[0]), name.hasSuffix(parts[parts.count - 1]) else { return false }
    var rest = name.dropFirst(parts[0].count).dropLast(parts[parts.count - 1].count)[...]
    for part in parts[1..<parts.count - 1] {
      guard let found = rest.firstRange(of: part) else { return false }
      rest = rest[found.upperBound...]
    }
    return name.count >= parts[0].count + parts[parts.count - 1].count
  }

  @Test func `each rule of the list is in the specification, and each of its cases is in the vectors`() throws {
    #expect(rules.count > 40)
    for rule in rules {
      #expect(text.contains(rule.words), "\(rule.words)")
      for (path, pattern) in rule.cases {
        let names = try VectorFile(path).names
        #expect(names.contains { isName($0, of: pattern) }, "\(path): \(pattern)")
      }
    }
  }

  @Test func `each case that is refused belongs to a rule`() throws {
    let paths = [
      "preamble", "handshake-message1", "handshake", "handshake-payload", "record", "frames", "folder", "links",
      "discovery",
    ].map { "invalid/\($0).txt" }
    for path in paths + ["sequences.txt"] {
      let cases = rules.flatMap(\.cases).filter { $0.path == path }.map(\.name)
      for name in try VectorFile(path).names
      where path != "sequences.txt" || name.hasSuffix(".2") || name.hasSuffix(".6") {
        #expect(cases.contains { isName(name, of: $0) }, "\(path): \(name)")
      }
    }
  }

  /// Returns the sentences between two headings of the specification that have one of these words.
  private func sentences(from first: String, to last: String, with words: [String]) throws -> [String] {
    let start = try #require(text.firstRange(of: first))
    let end = try #require(text.firstRange(of: last))
    return text[start.lowerBound..<end.lowerBound].components(separatedBy: ". ").filter { sentence in
      words.contains { sentence.contains($0) }
    }
  }

  @Test func `each sentence of the specification that refuses something belongs to a rule`() throws {
    let refusing = try sentences(
      from: "## 6. Preamble", to: "## 11. Blame", with: ["refuse", "failure", "handshake fails"])
    #expect(refusing.count > 20)
    for sentence in refusing { #expect(rules.contains { sentence.contains($0.words) }, "\(sentence)") }
  }

  @Test func `each sentence of the specification that says MUST or closes belongs to a rule`() throws {
    let binding = try sentences(
      from: "## 5. Identity", to: "## 15. A minimal", with: ["MUST", " closes", "close without", " never "])
    #expect(binding.count > 50)
    for sentence in binding { #expect(rules.contains { sentence.contains($0.words) }, "\(sentence)") }
  }
}
