// What README.md says of the code, against the code.
import Testing

@Suite struct ReadmeTests {
  private let readme: String
  private let code = Repository.files.filter { $0.path.hasPrefix("Sources/p2pnode/") }

  init() throws { readme = try Repository.text("README.md") }

  @Test func `every place that it names is there`() {
    let names = Pattern(#"`((?:Sources|Tests|Protocol|packaging|\.ci)/[^` ]*)`"#).matches(in: readme).map { $0[1] }
    #expect(names.count > 10)
    for name in names { #expect(Repository.exists(name), "\(name)") }
  }

  @Test func `every folder of the sources has a place on its map`() {
    for room in Rooms.all.keys { #expect(readme.contains("Sources/\(room)"), "\(room)") }
  }

  @Test func `its exit codes are those of the command`() {
    let declared = code.first { $0.path.hasSuffix("/Failure.swift") }!.codeLines
      .compactMap { Pattern(#"static let \w+: Int32 = (\d+)"#).firstMatch(in: $0)?[1] }
    let listed = Pattern(#"(?m)^\| (\d+) \| "#).matches(in: readme).map { $0[1] }
    #expect(declared.count > 5)
    #expect(listed == ["0"] + declared + ["130", "143"])
  }

  @Test func `its options are those of the command`() {
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
    let section = readme.split(separator: "\n## ").first { $0.hasPrefix("The command") } ?? ""
    let listed = Set(Pattern(#"--[a-z]+(?:-[a-z]+)*"#).matches(in: String(section)).map { $0[0] })
    #expect(declared.contains("--chunk-timeout"))
    #expect(listed.symmetricDifference(declared).subtracting(["--help", "--version", "--output"]) == [])
  }

  @Test func `its programs are the ones that are tested`() throws {
    let parts = try Repository.text("Tests/P2PTests/EmbeddingTests.swift").split(separator: "    // README\n")
    try #require(parts.count == 7)
    let shown = readme.split(separator: "```swift\n").dropFirst().compactMap { $0.split(separator: "```").first }
    try #require(shown.count == 3)
    for (tested, shown) in zip([parts[1], parts[3], parts[5]], shown) {
      let tested = tested.split(separator: "\n").map { $0.hasPrefix("    ") ? $0.dropFirst(4) : $0 }
      #expect(shown.split(separator: "\n").drop { $0.hasPrefix("import ") }.elementsEqual(tested))
    }
  }
}
