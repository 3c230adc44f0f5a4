// What `link` and `serve --links` print, and `get` and `verify` accept. Hostile links do no harm.
import Foundation
import Testing

struct LinkTests {
  private let workbench = Workbench()
  private static let fileID = String(repeating: "ab", count: 32)
  private static let peerID = String(repeating: "cd", count: 32)

  @Test func `link prints the ID and address of a file, and get needs nothing else`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 100_000)
    try FileManager.default.copyItem(atPath: path, toPath: workbench.path("a name & more.bin"))
    let link = try workbench.run("link", "a name & more.bin", "--peer", "\(served.peerID)@\(served.address)")
    #expect(link.code == 0, "\(link)")
    let text =
      "p2pnode:\(fileID)/name=a%20name%20%26%20more.bin/length=100000/peer=\(served.peerID)@\(served.address)"
    #expect(link.stdout.lines == [text], "\(link)")
    let output = try workbench.makeFolder("output")
    let get = try workbench.run("get", text, "-o", output)
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, output + "/a name & more.bin"))
    let verify = try workbench.run("verify", text, output + "/a name & more.bin")
    #expect(verify.code == 0, "\(verify)")
  }

  @Test func `a link to a peer without a port uses the default port`() throws {
    try workbench.makeFile("one", byteCount: 1)
    let link = try workbench.run("link", "one", "--peer", "h", "--peer", "[::1]", "--peer", "192.0.2.1:98")
    #expect(link.code == 0, "\(link)")
    #expect(link.stdout.text.hasSuffix("/peer=h:9800/peer=%5B::1%5D:9800/peer=192.0.2.1:98\n"), "\(link)")
  }

  @Test func `receive is another name of get`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 1_000)
    let link = "p2pnode:\(fileID)/name=mine.bin/peer=\(served.address)"
    let receive = try workbench.run("receive", link, "--no-upload")
    #expect(receive.code == 0, "\(receive)")
    #expect(TestFile.areEqual(path, workbench.path("mine.bin")))
    let both = try workbench.run("receive", link, "--no-upload", "--keep-serving")
    #expect(both.code == 64 && both.stderr.text.contains("exclude each other"), "\(both)")
  }

  @Test func `link prints a line per file, and exits with 66 if one is missing`() throws {
    try workbench.makeFile("one", byteCount: 1)
    try workbench.makeFile("two", byteCount: 2)
    let link = try workbench.run("link", "one", "missing", "two")
    #expect(link.code == 66, "\(link)")
    #expect(link.stdout.lines.map { String($0.dropFirst(72)) } == ["/name=one/length=1", "/name=two/length=2"])
  }

  @Test(arguments: ["h:", "h:0", "::1", "h h:1", "hôst:1", "[fe80::1%2]:1", "abcd@h:1"])
  func `link exits with 64 for a peer that a link cannot hold`(peer: String) throws {
    try workbench.makeFile("one", byteCount: 1)
    let link = try workbench.run("link", "one", "--peer", peer)
    #expect(link.code == 64, "\(link)")
    #expect(link.stdout.bytes.isEmpty, "\(link)")
  }

  @Test func `serve --links prints links instead of fileIDs, and get fetches them`() throws {
    let folder = try workbench.makeFolder("served")
    let path = try workbench.makeFile("served/data.bin", byteCount: 70_000)
    let served = try workbench.serve(folder, "--links")
    let columns = try #require(served.child.stdout.lines.first).components(separatedBy: "  ")
    #expect(columns.count == 3 && columns[1] == "70000" && columns[2] == "data.bin", "\(served.child)")
    #expect(columns[0].hasPrefix("p2pnode:") && columns[0].hasSuffix("/peer=\(served.peerID)@\(served.address)"))
    let output = try workbench.makeFolder("output")
    let get = try workbench.run("get", columns[0], "-o", output)
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, output + "/data.bin"))
  }

  @Test func `serve --json prints the link beside the fileID`() throws {
    let folder = try workbench.makeFolder("served")
    try workbench.makeFile("served/data.bin", byteCount: 7)
    let served = try workbench.serve(folder, "--links", "--json")
    let file = try #require(try JSONLines.objects(served.child.stdout).first { $0["event"] as? String == "file" })
    let fileID = try #require(file["fileID"] as? String)
    #expect((file["link"] as? String)?.hasPrefix("p2pnode:\(fileID)/name=data.bin/length=7/peer=") == true)
  }

  @Test(arguments: [
    "p2pnode:", "p2pnode:\(fileID)/", "p2pnode:\(fileID)/kind=1", "p2pnode:\(fileID)/name=a/name=b",
    "p2pnode:\(fileID)/peer=h:", "p2pnode:\(fileID)?name=a", "p2pnode:\(fileID)/peer=::1",
    "p2pnode:\(fileID)/length=4398046511105", "p2pnode:\(fileID)/name=a b",
    "p2pnode:\(fileID)/name=\u{1B}[2J", "p2pnode:\(String(repeating: "/", count: 100_000))",
  ])
  func `get and verify exit with 64 for a malformed link and print it harmlessly`(link: String) throws {
    for child in [
      try workbench.run("get", link, "--peer", "127.0.0.1:9"), try workbench.run("verify", link, "/dev/null"),
    ] {
      #expect(child.code == 64, "\(child)")
      #expect(child.stdout.bytes.isEmpty, "\(child)")
      #expect(child.stderr.lines.count == 1 && child.stderr.bytes.count < 1_000, "\(child)")
      #expect(!child.stderr.bytes.contains(0x1B), "\(child)")
    }
  }

  @Test func `get exits with 65 if the link's length is wrong, and leaves no file`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 1_000)
    let output = try workbench.makeFolder("output")
    let link = "p2pnode:\(fileID)/length=1001/peer=\(served.address)"
    let get = try workbench.run("get", link, "-o", output)
    #expect(get.code == 65, "\(get)")
    #expect(get.stderr.lines.last?.contains("it says that the file has 1001 bytes, but it has 1000") == true, "\(get)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: output) == [])
    let verify = try workbench.run("verify", link, path)
    #expect(verify.code == 65, "\(verify)")
  }

  @Test(arguments: [
    ("..%2F..%2Fescaped", "escaped"), ("%2Fetc%2Fpasswd", "passwd"), ("..", "data.bin"), (".hidden", "hidden"),
    ("a%00%1B%5B2J%0Ab", "a[2Jb"), ("%E2%80%AEtxt.exe", "txt.exe"), ("%2F", "data.bin"),
  ])
  func `a name in a link becomes one harmless file in the folder`(name: String, expected: String) throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 1_000)
    let output = try workbench.makeFolder("above/output")
    let get = try workbench.run("get", "p2pnode:\(fileID)/name=\(name)/peer=\(served.address)", "-o", output)
    #expect(get.code == 0, "\(get)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: output) == [expected])
    #expect(try FileManager.default.contentsOfDirectory(atPath: workbench.path("above")) == ["output"])
    #expect(TestFile.areEqual(path, output + "/" + expected))
    #expect(!get.stderr.bytes.contains(0x1B), "\(get)")
  }

  @Test func `a name that the user gives overrides the name of the link`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 1_000)
    let get = try workbench.run("get", "p2pnode:\(fileID)/name=link.bin/peer=\(served.address)", "-o", "mine.bin")
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("mine.bin")))
  }

  @Test func `get pins the peer that the link pins`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 1_000)
    let get = try workbench.run("get", "p2pnode:\(fileID)/peer=\(LinkTests.peerID)@\(served.address)")
    #expect(get.code == 69, "\(get)")
    #expect(get.stderr.lines.last?.contains("not \(LinkTests.peerID)") == true, "\(get)")
  }
}
