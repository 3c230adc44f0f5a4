// `ls` prints the entries of a folder, and fetches only its listing.
import Content
import Foundation
import Testing
import TestSupport

struct LsTests {
  private let workbench = Workbench()

  private static let readme = Sample(byteCount: 12)
  private static let tool = Sample(byteCount: 1_234_567)
  private static let entries = [
    FolderEntry(FolderPath("bin/tool"), .file(content(of: tool), isExecutable: true)),
    FolderEntry(FolderPath("empty"), .emptyFolder),
    FolderEntry(FolderPath("latest"), .symbolicLink(target: FolderPath("readme.txt"))),
    FolderEntry(FolderPath("readme.txt"), .file(content(of: readme), isExecutable: false)),
  ]

  private static func content(of sample: Sample) -> FileContent {
    FileContent(length: sample.layout.fileLength, root: sample.tree.root)
  }

  /// Runs `ls` with the ID of a folder and a peer that follows a script.
  private func ls(_ id: FileID, _ script: SourceScript, _ options: String...) throws -> (Child, FakeSource) {
    let source = try FakeSource(script)
    defer { source.stop() }
    let arguments = ["ls", id.hex, "--peer", "127.0.0.1:\(source.address.port)"] + options
    return (try workbench.ended(workbench.start(arguments)), source)
  }

  private func ls(_ entries: [FolderEntry], _ options: String...) throws -> Child {
    let listing = try ListingSample(entries)
    let source = try FakeSource(SourceScript(listing))
    defer { source.stop() }
    let arguments = ["ls", listing.fileID.hex, "--peer", "127.0.0.1:\(source.address.port)"] + options
    let child = try workbench.ended(workbench.start(arguments))
    #expect(child.code == 0, "\(child)")
    return child
  }

  @Test func `ls prints a line per entry, and the totals on stderr`() throws {
    let child = try ls(LsTests.entries)
    #expect(
      child.stdout.lines == [
        "1234567* bin/tool", "      -  empty/", "      -  latest -> readme.txt", "     12  readme.txt",
      ], "\(child)")
    #expect(child.stderr.lines == ["2 files, 1 link, 1 empty folder, 1234579 bytes"], "\(child)")
    let left = try FileManager.default.contentsOfDirectory(atPath: workbench.path("home-1/cache"))
    #expect(!left.contains { $0.hasPrefix("listing-") }, "\(left)")
  }

  @Test(.enabled(if: Privileges.canMount)) func `ls needs no cache`() throws {
    let listing = try ListingSample(LsTests.entries)
    let source = try FakeSource(SourceScript(listing))
    defer { source.stop() }
    let readOnly = Privileges.mounting("ro", on: try workbench.makeFolder("home-1"))
    let child = try workbench.run(
      "ls", listing.fileID.hex, "--peer", "127.0.0.1:\(source.address.port)", through: readOnly)
    #expect(child.code == 0 && child.stdout.lines.count == 4, "\(child)")
  }

  @Test func `ls --long adds the ID of each file`() throws {
    let child = try ls(LsTests.entries, "-l")
    #expect(child.stdout.lines.first == "\(LsTests.tool.fileID.hex)  1234567* bin/tool", "\(child)")
    #expect(child.stdout.lines.last == "\(LsTests.readme.fileID.hex)       12  readme.txt", "\(child)")
    #expect(child.stdout.lines[1] == "-" + String(repeating: " ", count: 65) + "      -  empty/", "\(child)")
  }

  @Test func `ls escapes paths for a terminal, and gives them unchanged to programs`() throws {
    let path = "a\u{1B}[2J\n7  b\\c"
    let entries = [FolderEntry(FolderPath(path), .file(LsTests.content(of: LsTests.readme), isExecutable: false))]
    let shown = try ls(entries)
    #expect(shown.stdout.lines == [#"12  a\u{1B}[2J\n7  b\\c"#], "\(shown)")
    let raw = try ls(entries, "-0")
    #expect(raw.stdout.text == "12  \(path)\0", "\(raw)")
    let json = try ls(entries, "--json")
    #expect(try JSONLines.objects(json.stdout).first?["path"] as? String == path, "\(json)")
  }

  @Test func `ls --json prints an object per entry and one with the totals`() throws {
    let child = try ls(LsTests.entries, "--json")
    let objects = try JSONLines.objects(child.stdout)
    let table = try EventTable()
    for object in objects { #expect(table.difference(of: object) == nil, "\(child)") }
    try #require(objects.count == 5, "\(child)")
    #expect(objects[0]["id"] as? String == LsTests.tool.fileID.hex && objects[0]["executable"] as? Bool == true)
    #expect(objects[0]["bytes"] as? Int == 1_234_567 && objects[0]["type"] as? String == "file")
    #expect(objects[1]["type"] as? String == "emptyFolder" && objects[1]["path"] as? String == "empty")
    #expect(objects[2]["type"] as? String == "link" && objects[2]["target"] as? String == "readme.txt")
    #expect(objects[4]["event"] as? String == "listed" && objects[4]["bytes"] as? Int == 1_234_579)
    #expect(objects[4]["files"] as? Int == 2 && objects[4]["links"] as? Int == 1)
  }

  @Test func `ls prints no lines for an empty folder`() throws {
    let child = try ls([])
    #expect(child.stdout.bytes.isEmpty && child.stderr.lines == ["0 files, 0 bytes"], "\(child)")
  }

  @Test func `ls on a fileID prints the file's length and name and fetches nothing`() throws {
    let (child, source) = try ls(Sample.common.fileID, SourceScript())
    #expect(child.code == 0, "\(child)")
    #expect(child.stdout.lines == ["\(Sample.common.bytes.count)  sample.bin"], "\(child)")
    #expect(child.stderr.lines.count == 1 && child.stderr.text.contains("the ID of a file"), "\(child)")
    #expect(source.log.requests.isEmpty)
    let (json, _) = try ls(Sample.common.fileID, SourceScript(), "--json")
    let object = try #require(try JSONLines.objects(json.stdout).first)
    #expect(object["event"] as? String == "file" && object["path"] as? String == "sample.bin", "\(json)")
  }

  @Test func `ls exits with 65 for a listing that breaks a rule, and blames its author`() throws {
    let listing = ListingSample(bytes: Array("no listing".utf8))
    let (child, _) = try ls(listing.fileID, SourceScript(listing))
    #expect(child.code == 65, "\(child)")
    #expect(child.stderr.text.contains("ask its author for a new ID"), "\(child)")
  }

  @Test func `ls exits with 69 if no peer has the ID, and with 64 if the ID is malformed`() throws {
    var script = SourceScript()
    script.onOpen = { peer, open, _ in try peer.refuse(open.handle, .noSuchFile) }
    let (absent, _) = try ls(Sample.common.fileID, script)
    #expect(absent.code == 69, "\(absent)")
    let malformed = try workbench.run("ls", "abc", "--peer", "127.0.0.1:9")
    #expect(malformed.code == 64, "\(malformed)")
  }

  @Test func `ls lists a served folder, and get fetches one of its files by the file's own ID`() throws {
    _ = try workbench.makeFolder("served/sub")
    let path = try workbench.makeFile("served/sub/one.bin", byteCount: 100_000)
    try workbench.makeFile("served/sub/two.bin", byteCount: 5, seed: 2)
    let served = try workbench.serve(workbench.path("served"))
    let offered = try workbench.line(of: served.child, on: .stdout, "the line of sub/") { $0.hasSuffix("  sub/") }
    let folderID = String(offered.prefix(64))
    let listed = try workbench.run("ls", folderID, "--peer", served.address, "--long")
    #expect(listed.code == 0 && listed.stderr.lines == ["2 files, 100005 bytes"], "\(listed)")
    let line = try #require(listed.stdout.lines.first { $0.hasSuffix("one.bin") }, "\(listed)")
    let get = try workbench.run("get", String(line.prefix(64)), folderID, "--peer", served.address)
    #expect(get.code == 0, "\(get)")
    #expect(get.stdout.lines.sorted() == ["./one.bin", "./sub"], "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("one.bin")))
    #expect(TestFile.areEqual(path, workbench.path("sub/one.bin")))
  }
}
