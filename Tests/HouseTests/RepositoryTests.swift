// Applies the house rules to this repository.
import Testing

@Suite struct RepositoryTests {
  @Test(arguments: Rule.all)
  func `every file keeps the rule`(rule: Rule) {
    let findings = Repository.files.flatMap(rule.findings)
    #expect(findings.isEmpty, "\(findings.joined(separator: "\n"))")
  }

  @Test func `the rules cover every target`() {
    let rooms = Set(Repository.files.compactMap(\.room))
    #expect(rooms == Set(Rooms.all.keys))
  }

  @Test func `the manifest declares the dependencies of each target and no others`() throws {
    let declared = Rooms.declared(in: try Repository.text("Package.swift"))
    #expect(declared == Rooms.all.merging(Rooms.shared) { one, _ in one }.mapValues(\.dependencies))
  }

  @Test func `the files allowed to use unsafe pointers exist and use them`() {
    for path in Rooms.unsafeFiles {
      let file = Repository.files.first { $0.path == path }
      let elsewhere = SourceFile(path: "Sources/PeerNode/A.swift", text: file?.lines.joined(separator: "\n") ?? "")
      #expect(!Rule.keepsPointersIn.findings(in: elsewhere).isEmpty, "\(path) need not be named any more")
    }
  }

  @Test func `fewer than ten files have more than 300 lines`() {
    let long = Repository.files.filter { $0.isSwift && $0.lines.count > 300 }.sorted { $0.lines.count > $1.lines.count }
    for file in long { print("long: \(file.path) has \(file.lines.count) lines") }
    #expect(long.count < 10, "so many files over 300 lines is a habit")
  }
}
