// `id` prints the ID of a file; `verify` checks that a file has an ID.
import Foundation
import Testing

struct IDTests {
  private let workbench = Workbench()

  @Test func `id prints the fileIDs that serve prints, in the format of sha256sum`() throws {
    let folder = try workbench.makeFolder("served")
    for (name, byteCount) in [("empty", 0), ("small", 5), ("large", (3 << 20) + 1)] {
      try workbench.makeFile("served/\(name)", byteCount: byteCount)
    }
    let served = try workbench.serve(folder)
    let id = try workbench.run("id", "empty", "small", "large", in: folder)
    #expect(id.code == 0, "\(id)")
    let expected = try ["empty", "small", "large"].map { "\(try served.fileID($0))  \($0)" }
    #expect(id.stdout.lines == expected, "\(id)")
    #expect(id.stderr.bytes.isEmpty, "\(id)")
  }

  @Test func `id prints the folder IDs that serve prints, also with options`() throws {
    let folder = try workbench.makeFolder("served")
    for name in ["deep", "deep/er", "none"] { _ = try workbench.makeFolder("served/\(name)") }
    for name in ["a", "deep/b", "deep/er/.c"] { try workbench.makeFile("served/\(name)", byteCount: 20_000) }
    try FileManager.default.createSymbolicLink(atPath: "\(folder)/deep/link", withDestinationPath: "../a")
    for options in [[], ["--hidden", "--exclude", "a"]] {
      let served = try workbench.listen(folder, options + ["--folders", "all"])
      try workbench.line(of: served.child, "'ready'") { $0.hasPrefix("ready: ") }
      #expect(served.folderIDs.keys.sorted() == ["./", "deep/", "deep/er/", "none/"])
      for (path, name) in [(".", "./"), ("deep", "deep/"), ("deep/er/", "deep/er/")] {
        let id = try workbench.ended(workbench.start(["id", path] + options, in: folder))
        #expect(id.stdout.lines == ["\(try #require(served.folderIDs[name]))  \(name)"], "\(id)")
      }
    }
    let link = try workbench.run("link", "deep", in: folder)
    #expect(link.stdout.text.contains("/name=deep/length="), "\(link)")
  }

  @Test func `id prints in the order of its arguments, with the error in the place of a missing one`() throws {
    for name in ["b", "a"] { try workbench.makeFile(name, byteCount: 10) }
    let id = try workbench.run("id", "--json", "b", "none", "a")
    #expect(id.code == 66, "\(id)")
    let told = try JSONLines.objects(id.stdout).filter { $0["event"] as? String != "hashing" }
    #expect(told.map { $0["path"] as? String ?? $0["event"] as? String } == ["b", "failed", "a"], "\(id)")
    #expect((told[1]["message"] as? String)?.contains("cannot read none: ") == true, "\(id)")
  }

  @Test func `one missing file does not keep id from the others`() throws {
    try workbench.makeFile("there", byteCount: 10)
    let id = try workbench.run("id", "missing", "there")
    #expect(id.code == 66, "\(id)")
    #expect(id.stdout.lines.count == 1 && id.stdout.text.hasSuffix("  there\n"), "\(id)")
  }

  @Test(.enabled(if: Privileges.canObeyPermissions))
  func `id exits with 66 and prints an ID that leaves out unreadable paths`() throws {
    let folder = try workbench.makeFolder("tree")
    try workbench.makeFile("tree/there", byteCount: 10)
    chmod(try workbench.makeFile("tree/unreadable", byteCount: 2), 0)
    let id = try workbench.run("id", "tree", "tree/there", through: Privileges.obeyPermissions)
    #expect(id.code == 66 && id.stdout.lines.count == 2 && id.stdout.lines[0].hasSuffix("  tree/"), "\(id)")
    #expect(id.stderr.lines.contains("left out: unreadable: Permission denied"), "\(id)")
    #expect(id.stderr.text.contains("p2pnode: tree: the ID leaves out 1 path that cannot be read; "), "\(id)")
    let link = try workbench.run("link", folder, through: Privileges.obeyPermissions)
    #expect(link.code == 66 && link.stdout.lines.count == 1, "\(link)")
    let json = try workbench.run("id", "--json", "tree", through: Privileges.obeyPermissions)
    let events = try JSONLines.objects(json.stdout).filter { $0["event"] as? String != "hashing" }
    #expect(events.map { $0["event"] as? String } == ["skipped", "folder", "failed"], "\(json)")
    #expect(events.first?["path"] as? String == "unreadable" && events[1]["leftOut"] as? Int == 1, "\(json)")
    let excluded = try workbench.run("id", "tree", "--exclude", "unreadable", through: Privileges.obeyPermissions)
    #expect(excluded.code == 0 && excluded.stdout.lines.first == id.stdout.lines.first, "\(excluded)")
  }

  @Test func `verify prints OK for the right file and exits with 65 for another`() throws {
    try workbench.makeFile("one", byteCount: 100_000, seed: 1)
    try workbench.makeFile("two", byteCount: 100_000, seed: 2)
    let id = try workbench.run("id", "one")
    let fileID = String(id.stdout.text.prefix(64))
    let right = try workbench.run("verify", fileID, "one")
    #expect(right.code == 0, "\(right)")
    #expect(right.stdout.text == "one: OK\n")
    let upperCase = try workbench.run("verify", fileID.uppercased(), "one")
    #expect(upperCase.code == 0, "\(upperCase)")
    let wrong = try workbench.run("verify", fileID, "two")
    #expect(wrong.code == 65, "\(wrong)")
    #expect(wrong.stdout.bytes.isEmpty, "\(wrong)")
    #expect(wrong.stderr.text.contains(fileID), "\(wrong)")
  }
}
