// The differences between a tree and a listing.
import Testing

@testable import Content

@Suite struct FolderDifferenceTests {
  private func file(_ path: String, _ content: UInt8 = 1, isExecutable: Bool = false) -> FolderEntry {
    let content = FileContent(length: UInt64(content), root: Digest(sha256: [content].span.bytes))
    return FolderEntry(FolderPath(path), .file(content, isExecutable: isExecutable))
  }

  private func link(_ path: String, to target: String) -> FolderEntry {
    FolderEntry(FolderPath(path), .symbolicLink(target: FolderPath(target)))
  }

  private func folder(_ path: String) -> FolderEntry { FolderEntry(FolderPath(path), .emptyFolder) }

  private func expectDifferences(
    _ expected: [(String, FolderDifference.Kind)], of found: [FolderEntry], from listed: [FolderEntry],
    at location: SourceLocation = #_sourceLocation
  ) throws {
    let differences = try FolderListing(listed).differences(of: try FolderListing(found))
    #expect(differences == expected.map { FolderDifference(FolderPath($0), $1) }, sourceLocation: location)
  }

  @Test func `equal trees do not differ`() throws {
    let entries = [file("a"), folder("b"), link("c/d", to: "../a"), file("c/e", 2, isExecutable: true)]
    try expectDifferences([], of: entries, from: entries)
    try expectDifferences([], of: [], from: [])
  }

  @Test func `missing and extra paths are found at the beginning, in the middle and at the end`() throws {
    let all = ["a", "b/c", "b/d", "e"]
    for path in all {
      let others = all.filter { $0 != path }.map { file($0) }
      try expectDifferences([(path, .missing)], of: others, from: all.map { file($0) })
      try expectDifferences([(path, .extra)], of: all.map { file($0) }, from: others)
    }
    try expectDifferences(all.map { ($0, .missing) }, of: [], from: all.map { file($0) })
  }

  @Test func `files differ by their bytes, then by their mode, and links by their target`() throws {
    try expectDifferences([("a", .content)], of: [file("a", 2, isExecutable: true)], from: [file("a")])
    try expectDifferences(
      [("a", .mode(isExecutable: true)), ("b", .mode(isExecutable: false))],
      of: [file("a", isExecutable: true), file("b")], from: [file("a"), file("b", isExecutable: true)])
    try expectDifferences(
      [("a", .target(FolderPath("c"), expected: FolderPath("b")))], of: [link("a", to: "c")], from: [link("a", to: "b")]
    )
  }

  @Test func `a path of another type than expected differs by its type`() throws {
    let entries = [file("a"), link("a", to: "b"), folder("a"), file("a/x")]
    let types: [FolderDifference.EntryType] = [.file, .link, .folder, .folder]
    for (listed, expected) in zip(entries, types).prefix(3) {
      for (found, type) in zip(entries, types) where type != expected {
        try expectDifferences([("a", .type(type, expected: expected))], of: [found], from: [listed])
      }
    }
  }

  @Test func `if a file is in the place of a folder, its type differs and the folder's files are missing`() throws {
    try expectDifferences(
      [("a", .type(.file, expected: .folder)), ("a/x", .missing), ("a/y", .missing)],
      of: [file("a"), file("b")], from: [file("a/x"), file("a/y"), file("b")])
  }

  @Test func `a folder that should be empty may exist, but files in it are extra`() throws {
    try expectDifferences([("a/x", .extra)], of: [file("a/x")], from: [folder("a")])
    try expectDifferences([("a/x", .missing)], of: [folder("a")], from: [file("a/x")])
  }

  @Test func `if a folder is in the place of a file, only the folder is reported and not its files`() throws {
    try expectDifferences(
      [("a", .type(.folder, expected: .file)), ("a.b", .extra)], of: [file("a/x"), file("a/y/z"), file("a.b")],
      from: [file("a")])
  }
}
