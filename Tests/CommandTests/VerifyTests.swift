// `verify` of a folder compares the bytes on the disk and names each path that differs.
import Foundation
import Testing

struct VerifyTests {
  private let workbench = Workbench()

  /// The entries that `make` makes. `->` marks a link, and a final `/` an empty folder.
  private static let tree = [
    "bin/tool*", "deep/er/file", "deep/er/other", "empty/", "latest -> deep/er/file", "readme.txt", "zero",
  ]

  private func make(_ folder: String, _ paths: [String] = tree) throws {
    for path in paths {
      let link = path.components(separatedBy: " -> ")
      let name = link[0].replacingOccurrences(of: "*", with: "")
      let parent = name.hasSuffix("/") ? name : "\(name)".split(separator: "/").dropLast().joined(separator: "/")
      _ = try workbench.makeFolder("\(folder)/\(parent)")
      if link.count > 1 {
        try FileManager.default.createSymbolicLink(
          atPath: workbench.path("\(folder)/\(name)"), withDestinationPath: link[1])
      } else if !name.hasSuffix("/") {
        let bytes = name == "zero" ? [] : Array(String(repeating: path, count: 5_000).utf8)
        _ = try workbench.makeFile("\(folder)/\(name)", bytes, mode: path.hasSuffix("*") ? 0o755 : 0o644)
      }
    }
  }

  private func id(_ path: String, _ options: String...) throws -> String {
    let child = try workbench.ended(workbench.start(["id", path] + options))
    #expect(child.code == 0, "\(child)")
    return String(child.stdout.text.prefix(64))
  }

  private func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: workbench.path(path)) }

  /// Returns all paths below a folder.
  private func names(_ folder: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: workbench.path(folder)).sorted()
  }

  /// Runs `verify` with the state that all runs with this home share.
  private func verify(_ home: String, _ arguments: String...) throws -> Child {
    try workbench.ended(
      workbench.start(["verify"] + arguments, through: ["env", "P2PNODE_HOME=\(workbench.path(home))"]))
  }

  @Test func `verify says OK for a folder without a peer and writes nothing into it`() throws {
    try make("one")
    try make("two")
    _ = try workbench.makeFile("two/.hidden", [1])
    let folderID = try id("one")
    let before = try names("two")
    let right = try workbench.run("verify", folderID, "two")
    #expect(right.code == 0 && right.stdout.text == "two: OK\n", "\(right)")
    let link = try workbench.run("link", "one")
    let linked = try workbench.run("verify", link.stdout.lines[0], "two/", "--json")
    let object = try #require(try JSONLines.objects(linked.stdout).last)
    #expect(linked.code == 0 && object["event"] as? String == "verified", "\(linked)")
    #expect(object["folderID"] as? String == folderID && object["path"] as? String == "two/", "\(linked)")
    #expect(try EventTable().difference(of: object) == nil)
    #expect(try names("two") == before)
    let hidden = try workbench.run("verify", folderID, "two", "--hidden")
    #expect(hidden.code == 65, "\(hidden)")
  }

  @Test func `verify names each path that differs, and needs no peer once the listing was fetched`() throws {
    try make("served/tree")
    let served = try workbench.serve(workbench.path("served"))
    let folderID = try #require(served.folderIDs["tree/"])
    try make("copy")
    // A file with wrong bytes and the right times.
    let path = workbench.path("copy/deep/er/file")
    let times = try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
    let handle = try #require(FileHandle(forWritingAtPath: path))
    try handle.write(contentsOf: Data([0]))
    try handle.close()
    try FileManager.default.setAttributes([.modificationDate: try #require(times)], ofItemAtPath: path)
    try remove("copy/deep/er/other")
    #expect(chmod(workbench.path("copy/bin/tool"), 0o644) == 0)
    try remove("copy/empty")
    try make("copy", ["empty", "new/one", "new/\u{1B}[2J"])
    try remove("copy/latest")
    try FileManager.default.createSymbolicLink(
      atPath: workbench.path("copy/latest"), withDestinationPath: "/etc/passwd")
    try remove("copy/readme.txt")
    try make("copy", ["readme.txt/below"])
    let before = try names("copy")
    let expected = [
      "bin/tool: FAILED (not executable, and should be)", "deep/er/file: FAILED (different content)",
      "deep/er/other: FAILED (missing)", "empty: FAILED (a file, not a folder)",
      "latest: FAILED (a link to '/etc/passwd', not to 'deep/er/file')", #"new/\u{1B}[2J: FAILED (extra)"#,
      "new/one: FAILED (extra)", "readme.txt: FAILED (a folder, not a file)",
    ]
    let wrong = try verify("state", folderID, "copy", "--peer", served.address)
    #expect(wrong.code == 65 && wrong.stdout.lines == expected, "\(wrong)")
    #expect(wrong.stderr.lines.last?.contains("of 7 entries: 5 different, 1 missing, 2 extra; ") == true, "\(wrong)")
    served.child.signal(SIGTERM)
    try workbench.ended(served.child)
    let again = try verify("state", folderID, "copy")
    #expect(again.code == 65 && again.stdout.lines == expected, "\(again)")
    #expect(try names("copy") == before)
    let json = try verify("state", folderID, "copy", "--json")
    let objects = try JSONLines.objects(json.stdout)
    for object in objects { #expect(try EventTable().difference(of: object) == nil, "\(json)") }
    let reasons = objects.compactMap { $0["reason"] as? String }
    #expect(
      reasons == ["mode", "content", "missing", "type", "target", "extra", "extra", "type"]
        && objects.count { $0["event"] as? String == "difference" } == 8, "\(json)")
    let sum = try #require(objects.first { $0["event"] as? String == "compared" })
    #expect(sum["different"] as? Int == 5 && sum["missing"] as? Int == 1 && sum["extra"] as? Int == 2, "\(json)")
  }

  @Test func `verify checks all listed names, hidden or not, and the options decide about others`() throws {
    let paths = [".hidden/file", ".hidden/tool*", "seen", "log"]
    try make("one", paths)
    let folderID = try id("one", "--hidden")
    let served = try workbench.serve(workbench.path("one"), "--hidden")
    try make("two", paths + [".extra/file", "later.log"])
    let right = try verify("state", folderID, "two", "--peer", served.address, "--exclude", "*.log", "--exclude", "log")
    #expect(right.code == 0 && right.stdout.text == "two: OK\n", "\(right)")
    let all = try verify("state", folderID, "two", "--hidden")
    #expect(
      all.code == 65 && all.stdout.lines == [".extra/file: FAILED (extra)", "later.log: FAILED (extra)"], "\(all)")
    try make("two", ["x"])
    try FileManager.default.removeItem(atPath: workbench.path("two/.hidden/file"))
    try FileManager.default.moveItem(atPath: workbench.path("two/x"), toPath: workbench.path("two/.hidden/file"))
    #expect(chmod(workbench.path("two/.hidden/tool"), 0o600) == 0)
    let wrong = try verify("state", folderID, "two", "--exclude", "*.log")
    #expect(
      wrong.code == 65
        && wrong.stdout.lines == [
          ".hidden/file: FAILED (different content)", ".hidden/tool: FAILED (not executable, and should be)",
        ], "\(wrong)")
  }

  @Test func `verify without the listing exits with 65 for a wrong folder, and says how to get it`() throws {
    try make("one")
    try make("two", ["readme.txt"])
    let folderID = try id("one")
    let alone = try workbench.run("verify", folderID, "two", "--no-lan")
    #expect(alone.code == 65 && alone.stdout.bytes.isEmpty, "\(alone)")
    #expect(alone.stderr.lines.last?.contains("not the folder \(folderID)") == true, "\(alone)")
    #expect(alone.stderr.lines.last?.contains("with --peer HOST:PORT") == true, "\(alone)")
    let other = try workbench.serve(workbench.path("two"))
    let asked = try workbench.run("verify", folderID, "two", "--no-lan", "--peer", other.address)
    #expect(asked.code == 65 && asked.stderr.lines.last?.contains("no peer has") == true, "\(asked)")
  }

  @Test func `verify refuses the ID of a file for a folder, and of a folder for a file`() throws {
    try make("one")
    let served = try workbench.serve(workbench.path("one"))
    let fileID = try served.fileID("readme.txt")
    let folder = try workbench.run("verify", fileID, "one", "--peer", served.address)
    #expect(folder.code == 65 && folder.stdout.bytes.isEmpty, "\(folder)")
    #expect(folder.stderr.lines.last?.contains("the ID of a file (readme.txt, 50000 bytes)") == true, "\(folder)")
    let folderID = try #require(served.folderIDs["./"])
    let file = try verify("state", folderID, "one/readme.txt")
    #expect(file.code == 65 && file.stderr.text.contains("not the file \(folderID)"), "\(file)")
    let home = ["env", "P2PNODE_HOME=\(workbench.path("state"))"]
    let listed = try workbench.run("ls", folderID, "--peer", served.address, through: home)
    #expect(listed.code == 0, "\(listed)")
    let known = try verify("state", folderID, "one/readme.txt")
    #expect(known.code == 65 && known.stderr.text.contains("is the ID of a folder"), "\(known)")
  }

  @Test func `verify exits with 66 for a missing folder`() throws {
    let missing = try workbench.run("verify", String(repeating: "0", count: 64), "none")
    #expect(missing.code == 66, "\(missing)")
  }

  @Test(.enabled(if: Privileges.canObeyPermissions))
  func `verify names unreadable paths, and exits with 66 if all else is right`() throws {
    try make("one")
    let folderID = try id("one")
    let served = try workbench.serve(workbench.path("one"))
    try make("two")
    #expect(chmod(workbench.path("two/readme.txt"), 0) == 0)
    #expect(chmod(workbench.path("two/deep/er"), 0) == 0)
    defer { chmod(workbench.path("two/deep/er"), 0o755) }
    let blind = try workbench.run(
      "verify", folderID, "two", "--peer", served.address, through: Privileges.obeyPermissions)
    #expect(
      blind.code == 66
        && blind.stdout.lines
          == ["deep/er/file", "deep/er/other", "readme.txt"].map {
            "\($0): FAILED (cannot be read: Permission denied)"
          },
      "\(blind)")
  }
}
