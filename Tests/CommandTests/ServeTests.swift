// What `serve` offers, what it prints, and how it ends.
import Foundation
import Testing

struct ServeTests {
  private let workbench = Workbench()

  @Test func `serve prints a line per file or folder on stdout: ID, bytes and path`() throws {
    let folder = try workbench.makeFolder("served")
    _ = try workbench.makeFolder("served/deep/er")
    try workbench.makeFile("served/b.bin", byteCount: 3_000_000)
    try workbench.makeFile("served/deep/er/a file", byteCount: 1)
    try workbench.makeFile("served/empty", byteCount: 0)
    let served = try workbench.serve(folder)
    let sizes = served.child.stdout.lines.map { line in
      line.wholeMatch(of: #/[0-9a-f]{64}  (\d+)  (.+)/#).map { "\($0.2): \($0.1)" } ?? "not a line: \(line)"
    }
    #expect(sizes.sorted() == ["./: 3000001", "b.bin: 3000000", "deep/: 1", "deep/er/a file: 1", "empty: 0"])
    #expect(served.child.stderr.lines.last == "ready: 3 files, 3000001 bytes")
    #expect(served.child.stderr.lines.count == 2, "\(served.child)")
  }

  @Test func `serve offers no hidden files, unfinished downloads or symbolic links`() throws {
    let folder = try workbench.makeFolder("served")
    _ = try workbench.makeFolder("served/.hidden")
    _ = try workbench.makeFolder("elsewhere")
    try workbench.makeFile("elsewhere/secret", byteCount: 11)
    try workbench.makeFile("served/.hidden/file", byteCount: 12)
    try workbench.makeFile("served/.0123456789abcdef.p2p-part", byteCount: 13)
    try workbench.makeFile("served/seen", byteCount: 14)
    let links = [("link-to-file", "seen"), ("link-out", "../elsewhere/secret"), ("link-to-folder", "../elsewhere")]
    for (link, target) in links {
      try FileManager.default.createSymbolicLink(atPath: "\(folder)/\(link)", withDestinationPath: target)
    }
    #expect(mkfifo("\(folder)/fifo", 0o644) == 0)
    let served = try workbench.serve(folder)
    #expect(served.fileIDs.keys.sorted() == ["seen"], "\(served.child)")
    #expect(served.child.stdout.lines.count == 2, "\(served.child)")
    #expect(
      served.child.stderr.lines.last
        == "ready: 1 file, 14 bytes; left out: 1 hidden, 2 links that leave the folder, 1 special file",
      "\(served.child)")
    let all = try workbench.serve(folder, "--hidden", "--follow-links", "--folders", "none")
    #expect(all.fileIDs.keys.sorted() == [".hidden/file", "link-out", "link-to-file", "seen"], "\(all.child)")
    #expect(all.folderIDs.isEmpty)
  }

  @Test func `serve --follow-links serves a folder of links as files, and otherwise warns`() throws {
    let folder = try workbench.makeFolder("model")
    _ = try workbench.makeFolder("blobs")
    try workbench.makeFile("blobs/1", byteCount: 100)
    try FileManager.default.createSymbolicLink(atPath: "\(folder)/weights", withDestinationPath: "../blobs/1")
    let without = try workbench.serve(folder)
    try workbench.line(
      of: without.child, with: "warning: no file of \(folder) is served: 1 link that leaves the folder is left out")
    try workbench.line(of: without.child, with: "--follow-links")
    let with = try workbench.serve(folder, "--follow-links")
    #expect(with.fileIDs.keys.sorted() == ["weights"], "\(with.child)")
    let get = try workbench.run("get", try with.fileID("weights"), "--peer", with.address, "-o", "out.bin")
    #expect(get.code == 0 && TestFile.areEqual(workbench.path("blobs/1"), workbench.path("out.bin")), "\(get)")
  }

  @Test func `serve --exclude leaves out files`() throws {
    let folder = try workbench.makeFolder("served")
    _ = try workbench.makeFolder("served/build")
    for name in ["a.log", "b", "build/c"] { try workbench.makeFile("served/\(name)", byteCount: 1) }
    let served = try workbench.serve(folder, "--exclude", "*.log", "--exclude", "/build")
    #expect(served.fileIDs.keys.sorted() == ["b"], "\(served.child)")
    #expect(served.child.stderr.lines.last == "ready: 1 file, 1 byte; left out: 2 excluded", "\(served.child)")
    let bad = try workbench.run("serve", folder, "--exclude", "[a")
    #expect(bad.code == 64 && bad.stderr.text.contains("--exclude '[a' is not a pattern"), "\(bad)")
  }

  @Test func `the path of a served folder may be a symbolic link`() throws {
    _ = try workbench.makeFolder("served")
    try workbench.makeFile("served/file", byteCount: 1)
    try FileManager.default.createSymbolicLink(atPath: workbench.path("link"), withDestinationPath: "served")
    let served = try workbench.serve(workbench.path("link"))
    #expect(served.fileIDs.keys.sorted() == ["file"])
  }

  @Test(.enabled(if: Privileges.canObeyPermissions))
  func `serve names an unreadable file or folder and serves the others`() throws {
    let folder = try workbench.makeFolder("served")
    let locked = try workbench.makeFolder("served/locked")
    try workbench.makeFile("served/locked/inside", byteCount: 1)
    let unreadable = try workbench.makeFile("served/unreadable", byteCount: 2)
    try workbench.makeFile("served/zebra", byteCount: 3)
    chmod(unreadable, 0)
    chmod(locked, 0)
    defer { chmod(locked, 0o700) }
    let served = try workbench.serve(folder, through: Privileges.obeyPermissions)
    #expect(served.fileIDs.keys.sorted() == ["zebra"], "\(served.child)")
    let lines = served.child.stderr.lines
    #expect(lines.contains { $0.hasPrefix("left out: unreadable: Permission denied") }, "\(served.child)")
    #expect(lines.contains { $0.hasPrefix("left out: locked: Permission denied") }, "\(served.child)")
    #expect(lines.last == "ready: 1 file, 3 bytes; left out: 2 unreadable", "\(served.child)")
    // The number is in the event at the start, and in the one after all files are hashed.
    for arguments in [["serve", folder], ["send", folder]] {
      let json = try workbench.start(
        arguments + ["--json", "--listen", "127.0.0.1:0"], through: Privileges.obeyPermissions)
      try workbench.line(of: json, on: .stdout, with: "\"ready\"")
      let events = try JSONLines.objects(json.stdout).filter { ["folder", "ready"].contains($0["event"] as? String) }
      let roots = events.filter { $0["path"] as? String != "locked/" }
      #expect(roots.count == 2 && roots.allSatisfy { $0["leftOut"] as? Int == 2 }, "\(json)")
    }
  }

  @Test func `serve exits with 66 if the folder is missing or is a file`() throws {
    let missing = try workbench.run("serve", "missing", "--listen", "127.0.0.1:0")
    #expect(missing.code == 66, "\(missing)")
    #expect(missing.stderr.text.contains("missing: No such file or directory"), "\(missing)")
    try workbench.makeFile("file", byteCount: 1)
    let file = try workbench.run("serve", "file", "--listen", "127.0.0.1:0")
    #expect(file.code == 66, "\(file)")
    #expect(file.stderr.text.contains("file: Not a directory"), "\(file)")
  }

  @Test func `serve reports a missing folder and nothing else`() throws {
    let home = ["env", "P2PNODE_HOME=" + workbench.path("home-of-both")]
    _ = try workbench.serve(try workbench.makeFolder("served"), through: home)
    let missing = try workbench.run("serve", "missing", "--listen", "127.0.0.1:0", through: home)
    #expect(missing.code == 66 && missing.stderr.lines.count == 1, "\(missing)")
  }

  @Test(.enabled(if: Privileges.canObeyPermissions))
  func `serve exits with 66 if it cannot read the folder`() throws {
    let folder = try workbench.makeFolder("locked")
    chmod(folder, 0)
    let serve = try workbench.run("serve", folder, "--listen", "127.0.0.1:0", through: Privileges.obeyPermissions)
    #expect(serve.code == 66, "\(serve)")
    #expect(serve.stderr.text.contains("Permission denied"), "\(serve)")
  }

  @Test func `serve exits with 74 if its port is in use, and names the remedy`() throws {
    let folder = try workbench.makeFolder("served")
    let first = try workbench.serve(folder)
    let second = try workbench.run("serve", folder, "--listen", first.address)
    #expect(second.code == 74, "\(second)")
    #expect(second.stderr.text.contains("cannot listen on \(first.address): address already in use"), "\(second)")
    #expect(second.stderr.text.contains("--listen HOST:PORT"), "\(second)")
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `serve exits with 0 on SIGINT and SIGTERM`(signal: Int32) throws {
    let served = try workbench.serveFile(byteCount: 1_000).served
    served.child.signal(signal)
    try workbench.ended(served.child)
    #expect(served.child.code == 0, "\(served.child)")
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `serve exits with 0 on a signal while it hashes`(signal: Int32) throws {
    let folder = try workbench.makeFolder("served")
    try workbench.makeFile("served/large", byteCount: 0)
    truncate("\(folder)/large", 1 << 40)
    let served = try workbench.listen(folder, [])
    served.child.signal(signal)
    try workbench.ended(served.child)
    #expect(served.child.code == 0, "\(served.child)")
    #expect(!served.child.stderr.text.contains("ready"), "\(served.child)")
  }

  @Test func `serve has the same PeerID after a restart, and one process at a time uses it`() throws {
    let folder = try workbench.makeFolder("served")
    let key = workbench.path("identity.key")
    let first = try workbench.serve(folder, "--identity", key)
    let second = try workbench.run("serve", folder, "--listen", "127.0.0.1:0", "--identity", key)
    #expect(second.code == 74, "\(second)")
    #expect(second.stderr.text.contains("another process is using it"), "\(second)")
    first.child.signal(SIGTERM)
    try workbench.ended(first.child)
    let third = try workbench.serve(folder, "--identity", key)
    #expect(third.peerID == first.peerID)
  }

  @Test func `a second serve of a user has another PeerID and says so`() throws {
    let folder = try workbench.makeFolder("files")
    try workbench.makeFile("files/one", byteCount: 1)
    let home = ["env", "P2PNODE_HOME=" + workbench.path("home")]
    func start() throws -> (Child, peer: String) {
      let serve = try workbench.start(["serve", folder, "--listen", "127.0.0.1:0"], through: home)
      let listening = try workbench.line(of: serve, with: "listening on")
      return (serve, String(listening.suffix(64)))
    }
    let (first, second) = (try start(), try start())
    let warned = second.0.stderr.lines.filter { $0.hasPrefix("warning: ") }
    #expect(warned.count == 1 && warned[0].contains("another process is using it"), "\(second)")
    #expect(warned.first?.contains("uses a temporary PeerID") == true && first.peer != second.peer, "\(second)")
    #expect(!first.0.stderr.text.contains("warning"), "\(first)")
  }
}
