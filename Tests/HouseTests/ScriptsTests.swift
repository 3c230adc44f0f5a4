// What a developer reads before running a script: its first lines, and its row in `scripts/README.md`.
import Testing

@Suite struct ScriptsTests {
  private static let scripts = Repository.files.filter { file in
    file.lines[0].hasPrefix("#!")
      && (file.path.hasPrefix("scripts/") || file.path.hasPrefix("packaging/")
        || [".ci/run", "docker/test", "Fuzz/run"].contains(file.path))
  }

  /// The comment that a script starts with, without its signs.
  private static func opening(of file: SourceFile) -> [String] {
    let lines = file.lines.dropFirst()
    if lines.first?.hasPrefix("\"\"\"") == true {
      return [lines.first.map { String($0.dropFirst(3)) } ?? ""] + lines.dropFirst().prefix { !$0.hasPrefix("\"\"\"") }
    }
    return lines.prefix { $0.hasPrefix("#") }.map { String($0.dropFirst().drop { $0 == " " }) }
  }

  private static func lacks(_ file: SourceFile) -> [String] {
    let opening = opening(of: file)
    let sentence = Pattern(#"^[A-Z].*\w"#)
    var missing = opening.first.flatMap { sentence.firstMatch(in: $0) } == nil ? ["what it does"] : []
    for word in ["Takes", "Needs"]
    where !opening.contains(where: { Pattern("^\(word): .*\\.").firstMatch(in: $0) != nil }) {
      missing.append("'\(word): …'")
    }
    return missing
  }

  @Test func `every script starts with what it does, how long it takes and what it needs`() {
    #expect(ScriptsTests.scripts.count > 15)
    for script in ScriptsTests.scripts { #expect(ScriptsTests.lacks(script) == [], "\(script.path)") }
  }

  @Test func `a script that leaves one of the three out is found`() {
    let shell = SourceFile(path: "scripts/a", text: "#!/bin/sh\n# Does it.\n#\n# Takes: 1 s.\nNeeds: root.\n")
    #expect(ScriptsTests.lacks(shell) == ["'Needs: …'"])
    let python = SourceFile(path: "scripts/b", text: "#!/x\n\"\"\"Does it.\n\nNeeds: root.\n\"\"\"\n# Takes: 1 s.\n")
    #expect(ScriptsTests.lacks(python) == ["'Takes: …'"])
    #expect(ScriptsTests.lacks(SourceFile(path: "scripts/c", text: "#!/bin/sh\nset -e\n")).count == 3)
  }

  @Test func `the table of the scripts names each file, and no other`() throws {
    let readme = try Repository.text("scripts/README.md")
    let listed = Pattern(#"(?m)^\| `([a-z.-]+)` \| \S.* \|$"#).matches(in: readme).map { $0[1] }
    let there = Repository.files.map(\.path).filter { $0.hasPrefix("scripts/") && $0 != "scripts/README.md" }
    #expect(listed.map { "scripts/\($0)" }.sorted() == there.sorted())
  }

  @Test func `every row of a script says how long it takes and what it needs`() throws {
    let readme = try Repository.text("scripts/README.md")
    let rows = Pattern(#"(?m)^\| `([a-z-]+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$"#).matches(in: readme).map { $0[1] }
    let scripts = ScriptsTests.scripts.map(\.path).filter { $0.hasPrefix("scripts/") }
    #expect(rows.map { "scripts/\($0)" }.sorted() == scripts.sorted())
  }
}
