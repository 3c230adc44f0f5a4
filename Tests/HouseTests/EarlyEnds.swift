// The rule against tests that end early and pass, because they skip their remaining checks.

extension Rule {
  private static let returns = Pattern(#"^(.*)\breturn\b"#)
  private static let closures = Pattern(#"\{[^{}]*\bin\b[^{}]*$"#)
  private static let controls = Pattern(
    #"^\s*(?:\}\s*)?(?:if|else|guard|for|while|repeat|do|catch|switch|case|default|defer)\b"#)
  private static let reports = Pattern(#"\bIssue\.record\(|\bTest\.cancel\("#)
  private static let unclear = Pattern(#"#expect\(Bool\(false\)"#)
  /// The most lines of a report before a return.
  private static let reportLinesMax = 4

  static let endsOnlyAtItsEnd = Rule(name: "A test that ends early requires, records or is cancelled") { file in
    guard file.isSwift, file.path.hasPrefix("Tests/"), file.path.split(separator: "/")[1].hasSuffix("Tests") else {
      return []
    }
    let lines = file.codeLines
    return lines.indices.compactMap { i in
      if unclear.firstMatch(in: lines[i]) != nil { return (i, "#expect(Bool(false)): use Issue.record") }
      guard let before = returns.firstMatch(in: lines[i])?[1], closures.firstMatch(in: before) == nil,
        !lines[max(0, i - reportLinesMax)...i].contains(where: { reports.firstMatch(in: $0) != nil }),
        isInTest(i, of: file)
      else { return nil }
      return (i, "the test returns and passes: use #require, Issue.record or Test.cancel")
    }
  }

  /// Whether a line belongs to the body of a test itself, not to a function or closure within it. Going up, each line
  /// with less indentation opens a block around it.
  private static func isInTest(_ i: Int, of file: SourceFile) -> Bool {
    var depth = indentation(file.lines[i])
    for j in stride(from: i - 1, through: 0, by: -1) where indentation(file.lines[j]) < depth {
      let line = file.lines[j].drop { $0 == " " }
      if line.isEmpty || line.hasPrefix("//") { continue }
      // The end of a function head of several lines, such as `) throws {`. Its first line has the same indentation.
      if line.hasPrefix(")") || line.hasPrefix("{") {
        depth = indentation(file.lines[j]) + 1
        continue
      }
      depth = indentation(file.lines[j])
      if line.contains("func `") { return true }
      if controls.firstMatch(in: file.codeLines[j]) == nil { return false }
    }
    return false
  }

  private static func indentation(_ line: String) -> Int { line.prefix { $0 == " " }.count }
}
