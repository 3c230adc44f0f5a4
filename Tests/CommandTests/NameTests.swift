// Names come from strangers and may contain terminal escapes. Nothing that the command prints may move the cursor.
import Foundation
import Testing

struct NameTests {
  private let workbench = Workbench()
  /// A newline, an escape that clears the screen, a title, a C1 control, and a reversed direction.
  private static let evil = "a\nfake  7  line\u{1B}[2J\u{1B}]0;title\u{07}\u{9B}31m\r\u{202E}b"
  private static let escaped = #"a\nfake  7  line\u{1B}[2J\u{1B}]0;title\u{7}\u{9B}31m\r\u{202E}b"#

  /// Whether the output has only newlines and printable text.
  private func isHarmless(_ output: Output) -> Bool {
    output.text.unicodeScalars.allSatisfy { scalar in
      scalar == "\n"
        || ![.control, .format, .lineSeparator, .paragraphSeparator].contains(scalar.properties.generalCategory)
    }
  }

  @Test func `a file name cannot add a line to the output of serve`() throws {
    let folder = try workbench.makeFolder("served")
    try workbench.makeFile("served/\(NameTests.evil)", byteCount: 9)
    let served = try workbench.serve(folder, "--verbose")
    #expect(served.child.stdout.lines.count == 2, "the file and the folder: \(served.child)")
    let fileID = try served.fileID(NameTests.escaped)
    let get = try workbench.run("get", fileID, "--peer", served.address)
    #expect(get.code == 0, "\(get)")
    try workbench.line(of: served.child, with: "opens")
    #expect(isHarmless(served.child.stdout), "\(served.child)")
    #expect(isHarmless(served.child.stderr), "\(served.child)")
  }

  @Test func `a suggested name becomes one harmless file and is printed harmlessly`() throws {
    let folder = try workbench.makeFolder("served")
    let output = try workbench.makeFolder("output")
    try workbench.makeFile("served/\(NameTests.evil)", byteCount: 9)
    let served = try workbench.serve(folder)
    let fileID = try served.fileID(NameTests.escaped)
    let get = try workbench.run("get", fileID, "--peer", served.address, "-o", output)
    #expect(get.code == 0, "\(get)")
    #expect(isHarmless(get.stderr), "\(get)")
    let name = "afake  7  line[2J]0;title31mb"
    #expect(try FileManager.default.contentsOfDirectory(atPath: output) == [name])
    #expect(get.stderr.lines.contains("[Stats] File: \(name)"), "\(get)")
  }

  @Test func `a name that the user gave is kept and printed harmlessly`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 9)
    let output = workbench.path(NameTests.evil)
    let get = try workbench.run("get", fileID, "--peer", served.address, "-o", output)
    #expect(get.code == 0, "\(get)")
    #expect(isHarmless(get.stderr), "\(get)")
    #expect(get.stderr.lines.contains("[Stats] File: \(NameTests.escaped)"), "\(get)")
    #expect(TestFile.areEqual(output, path))
    let found = try workbench.run("get", fileID, "--peer", served.address, "-o", output)
    #expect(found.code == 0, "\(found)")
    #expect(isHarmless(found.stderr), "\(found)")
    try workbench.makeFile(NameTests.evil, byteCount: 9, seed: 2)
    let again = try workbench.run("get", fileID, "--peer", served.address, "-o", output)
    #expect(again.code == 73, "\(again)")
    #expect(isHarmless(again.stderr), "\(again)")
  }

  @Test func `id and verify print names harmlessly, also of missing files`() throws {
    try workbench.makeFile(NameTests.evil, byteCount: 9)
    let id = try workbench.run("id", NameTests.evil, NameTests.evil + "?")
    #expect(id.code == 66, "\(id)")
    #expect(id.stdout.lines.map { String($0.dropFirst(66)) } == [NameTests.escaped], "\(id)")
    let verify = try workbench.run("verify", String(id.stdout.text.prefix(64)), NameTests.evil)
    #expect(verify.code == 0, "\(verify)")
    let wrong = try workbench.run("verify", String(repeating: "0", count: 64), NameTests.evil)
    #expect(wrong.code == 65, "\(wrong)")
    for child in [id, verify, wrong] {
      #expect(isHarmless(child.stdout), "\(child)")
      #expect(isHarmless(child.stderr), "\(child)")
      #expect(child.stdout.lines.count + child.stderr.lines.count == (child === id ? 2 : 1), "\(child)")
    }
  }

  @Test func `serve --json prints the exact name without moving the cursor`() throws {
    let folder = try workbench.makeFolder("served")
    try workbench.makeFile("served/\(NameTests.evil)", byteCount: 9)
    let served = try workbench.serve(folder, "--json")
    #expect(isHarmless(served.child.stdout), "\(served.child)")
    let file = try #require(try JSONLines.objects(served.child.stdout).first { $0["event"] as? String == "file" })
    #expect((file["path"] as? String)?.unicodeScalars.elementsEqual(NameTests.evil.unicodeScalars) == true)
  }
}
