// Compares README.md, `docs` and the library's articles with the code.
import Foundation
import Testing

@Suite struct ReadmeTests {
  /// README.md and all pages of `docs`.
  private let pages: [String]
  private let (architecture, commandLine, embedding): (String, String, String)
  private let code = Repository.files.filter { $0.path.hasPrefix("Sources/p2pnode/") }

  init() throws {
    let names = Repository.files.map(\.path).filter { $0.hasPrefix("docs/") && $0.hasSuffix(".md") }
    pages = try (["README.md"] + names).map(Repository.text)
    architecture = try Repository.text("docs/architecture.md")
    commandLine = try Repository.text("docs/cli.md")
    embedding = try Repository.text("docs/embedding.md")
  }

  @Test func `the README has the two commands that do all the set-up`() throws {
    let readme = try Repository.text("README.md")
    for command in ["scripts/demo", "scripts/test"] {
      #expect(readme.contains("\n\(command) "), "\(command)")
      #expect(try Repository.text(command).contains("\nscripts/install"), "\(command) installs what is missing")
    }
    #expect(try Repository.text(".ci/run").contains(" scripts/test\n"))
  }

  @Test func `every path that the documents name exists`() {
    let place = Pattern(#"`((?:Sources|Tests|Protocol|packaging|docs|scripts|\.ci)/[^` ]*)`"#)
    let names = pages.flatMap { place.matches(in: $0).map { $0[1] } }
    #expect(names.count > 10)
    for name in names { #expect(Repository.exists(name), "\(name)") }
  }

  @Test func `the map in docs/architecture.md has every folder of Sources`() {
    for room in Rooms.all.keys { #expect(architecture.contains("Sources/\(room)"), "\(room)") }
  }

  @Test func `the documents list the exit codes of the command`() {
    let declared = code.first { $0.path.hasSuffix("/Failure.swift") }!.codeLines
      .compactMap { Pattern(#"static let \w+: Int32 = (\d+)"#).firstMatch(in: $0)?[1] }
    let listed = Pattern(#"(?m)^\| (\d+) \| "#).matches(in: commandLine).map { $0[1] }
    #expect(declared.count > 5)
    #expect(listed == ["0"] + declared + ["130", "143"])
  }

  @Test func `the documents list the options of the command`() {
    var declared: Set<String> = []
    for file in code {
      var (isOption, isInverted) = (false, false)
      var custom: String?
      for (line, whole) in zip(file.codeLines, file.lines) {
        if Pattern(#"@(?:Option|Flag)\b"#).firstMatch(in: line) != nil { isOption = true }
        if line.contains("inversion: .prefixedNo") { isInverted = true }
        custom = Pattern(#"\.customLong\("([a-z-]+)"\)"#).firstMatch(in: whole)?[1] ?? custom
        guard isOption, let name = Pattern(#"^\s*var (\w+)"#).firstMatch(in: line)?[1] else { continue }
        let long = custom ?? name.map { $0.isUppercase ? "-\($0.lowercased())" : "\($0)" }.joined()
        declared.insert("--" + long)
        if isInverted { declared.insert("--no-" + long) }
        (isOption, isInverted, custom) = (false, false, nil)
      }
    }
    let section = commandLine.split(separator: "\n## ").first { $0.hasPrefix("Verbs and options") } ?? ""
    let listed = Set(Pattern(#"--[a-z]+(?:-[a-z]+)*"#).matches(in: String(section)).map { $0[0] })
    #expect(declared.contains("--chunk-timeout"))
    #expect(listed.symmetricDifference(declared).subtracting(["--help", "--version", "--output"]) == [])
  }

  @Test func `the programs in docs/embedding.md are the tested programs`() throws {
    let tested = try TestedPrograms.all(in: "Tests/P2PTests/EmbeddingTests.swift", between: "// EMBEDDING")
    let shown = TestedPrograms.shown(in: embedding)
    #expect(shown.count == 3 && shown == tested)
  }

  @Test func `the first program in docs/embedding.md is also built as top-level code`() throws {
    let file = try Repository.text("Examples/Sources/p2preadme/main.swift")
    let program = file.components(separatedBy: "// EMBEDDING\n")
    #expect(
      program.count == 3
        && program[1].split(separator: "\n")
          == TestedPrograms.shown(in: embedding)[0].filter { !$0.isEmpty }.map { $0[...] }
    )
  }
}

@Suite struct PicturesTests {
  @Test func `the chart of the speed shows the table of docs/performance.md`() throws {
    let chart = try Repository.text("docs/speed.svg")
    let readme = try Repository.text("README.md")
    let rows = Pattern(#"(?m)^\| (\d+) × 10 MB/s, 100 MiB \| ([\d.]+) MB/s \| ([\d.]+) × one \|$"#)
      .matches(in: try Repository.text("docs/performance.md"))
    #expect(rows.count == 3)
    for row in rows {
      #expect(chart.contains(">\(row[2]) MB/s, \(row[3]) times one source<"), "run scripts/chart: \(row)")
    }
    let speeds = rows.map { $0[2] }
    #expect(readme.contains("10 MB/s each: \(speeds[0]), \(speeds[1]) and \(speeds[2]) MB/s"))
  }

  @Test func `every picture of a page has a title and a description`() throws {
    let image = Pattern(#"!\[([^\]]+)\]\((?:docs/)?([a-z]+\.svg)\)"#)
    let pages = try ["README.md", "docs/performance.md", "docs/architecture.md"].map(Repository.text)
    let names = pages.flatMap { image.matches(in: $0).map { $0[2] } }
    #expect(names.count > 2)
    for name in names {
      let picture = try Repository.text("docs/\(name)")
      #expect(picture.contains("<title") && picture.contains("<desc") && picture.contains("role=\"img\""), "\(name)")
    }
  }
}

@Suite struct ArticlesTests {
  @Test(arguments: ["Fetching", "Serving", "ServingAndFetching"])
  func `the programs of an article are the tested programs`(article: String) throws {
    let tested = try TestedPrograms.all(in: "Tests/P2PTests/ArticleTests.swift", between: "// ARTICLE \(article)")
    let shown = TestedPrograms.shown(in: try Repository.text("Sources/P2P/P2P.docc/\(article).md"))
    #expect(!shown.isEmpty && shown == tested)
  }

  @Test func `the first program of the articles is the program that is built`() throws {
    let program = try Repository.text("Examples/Sources/p2pfirst/Fetch.swift")
    let shown = TestedPrograms.shown(in: try Repository.text("Sources/P2P/P2P.docc/FirstProgram.md"))
    let lines = program.components(separatedBy: "\n").drop {
      $0.hasPrefix("//") || $0.hasPrefix("import ") || $0.isEmpty
    }
    #expect(shown == [Array(lines.dropLast())])
  }

  @Test func `the program in the README of the service is the program that is built`() throws {
    let program = try Repository.text("Examples/Service/Sources/p2pserve/main.swift")
    let shown = try Repository.text("Examples/Service/README.md").components(separatedBy: "```swift\n").last ?? ""
    let lines = program.components(separatedBy: "\n").drop { $0.hasPrefix("//") }
    #expect(lines.count > 5 && shown.components(separatedBy: "```")[0] == lines.joined(separator: "\n"))
  }

  @Test func `every article is known to have tested programs or none`() {
    let names = Repository.files.map(\.path).filter { $0.hasPrefix("Sources/P2P/P2P.docc/") }
    #expect(
      names.sorted()
        == ["Fetching", "FirstProgram", "P2P", "Serving", "ServingAndFetching"].map { "Sources/P2P/P2P.docc/\($0).md" })
  }
}

/// The programs that texts show and that tests run.
private enum TestedPrograms {
  /// Returns the lines of the programs in a text, without imports.
  static func shown(in text: String) -> [[String]] {
    text.split(separator: "```swift\n").dropFirst().map { part in
      let program = part.components(separatedBy: "\n```").first ?? ""
      return program.components(separatedBy: "\n").drop { $0.hasPrefix("import ") || $0.isEmpty }.map { $0 }
    }
  }

  /// Returns the lines between each pair of `mark` lines, without their indentation in the test.
  static func all(in path: String, between mark: String) throws -> [[String]] {
    let parts = try Repository.text(path).components(separatedBy: "    \(mark)\n")
    try #require(parts.count % 2 == 1)
    return stride(from: 1, to: parts.count, by: 2).map { i in
      parts[i].dropLast().components(separatedBy: "\n").map { $0.hasPrefix("    ") ? String($0.dropFirst(4)) : $0 }
    }
  }
}
