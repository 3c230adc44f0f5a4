// `serve` of a folder that changes, and a second `serve` of it: what it prints, and what a getter notices.
import Foundation
import Testing

struct FollowingTests {
  private let workbench = Workbench()

  private func line(_ served: Served, on stream: Child.Stream = .stdout, endingWith end: String) throws -> String {
    try workbench.line(of: served.child, on: stream, "'\(end)'") { $0.hasSuffix(end) }
  }

  private func move(_ old: String, _ new: String) { #expect(rename(workbench.path(old), workbench.path(new)) == 0) }

  @Test func `serve reports added, changed, renamed, moved and removed files, and serves the present ones`() throws {
    let folder = try workbench.makeFolder("served")
    _ = try workbench.makeFolder("aside/deep/er")
    try workbench.makeFile("served/a", byteCount: 1_000)
    let served = try workbench.serve(folder)
    let fileID = try served.fileID("a")

    try workbench.makeFile("served/new", byteCount: 50_000, seed: 2)
    let added = try line(served, endingWith: "  50000  new")
    let get = try workbench.run("get", String(added.prefix(64)), "--peer", served.address, "-o", "out.bin")
    #expect(get.code == 0, "\(get)")

    move("served/a", "served/b")
    #expect(try line(served, endingWith: "  1000  b").hasPrefix(fileID))
    try workbench.line(of: served.child, with: "a: is now b")

    try workbench.makeFile("served/new", byteCount: 60_000, seed: 3)
    try workbench.line(of: served.child, "'new: …'") { $0.hasPrefix("new: ") && $0.hasSuffix("it is no longer served") }
    _ = try line(served, endingWith: "  60000  new")

    try workbench.makeFile("aside/deep/er/x", byteCount: 7)
    move("aside/deep", "served/deep")
    _ = try line(served, endingWith: "  7  deep/er/x")
    move("served/deep", "aside/deep")
    try workbench.line(of: served.child, with: "deep/er/x: was removed or replaced")

    unlink(workbench.path("served/b"))
    try workbench.line(of: served.child, with: "b: was removed or replaced since it was hashed; it is no longer served")
    let gone = try workbench.run("get", fileID, "--peer", served.address, "-o", "gone.bin")
    #expect(gone.code == 69, "\(gone)")

    served.child.signal(SIGTERM)
    try workbench.ended(served.child)
    #expect(served.child.code == 0)
  }

  @Test func `serve --json prints an event for each change`() throws {
    let folder = try workbench.makeFolder("served")
    try workbench.makeFile("served/a", byteCount: 1_000)
    let served = try workbench.serve(folder, "--json")
    move("served/a", "served/b")
    try workbench.line(of: served.child, on: .stdout, with: #""bytes":1000,"path":"b","from":"a""#)
    unlink(workbench.path("served/b"))
    try workbench.line(of: served.child, on: .stdout, with: #""event":"withdrawn","path":"b""#)
    let events = try JSONLines.objects(served.child.stdout).compactMap { $0["event"] as? String }
    #expect(events == ["listening", "file", "folder", "ready", "renamed", "withdrawn"])
  }

  @Test func `get completes a file from another peer if one replaces it meanwhile`() throws {
    let (slow, fileID, _) = try workbench.serveFile(byteCount: 8 << 20, "--upload-limit", "1Mi")
    let copy = try workbench.serveFile(byteCount: 8 << 20, "--upload-limit", "4Mi", folder: "copy").served
    let get = try workbench.start(
      ["get", fileID, "--peer", slow.address, "--peer", copy.address, "-o", "out.bin", "--verbose"])
    try workbench.line(of: get, with: "Chunk 2/8")
    try workbench.makeFile("other", byteCount: 100, seed: 9)
    move("other", "served/data.bin")
    try workbench.line(of: slow.child, with: "data.bin: was removed or replaced")
    try workbench.ended(get)
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(workbench.path("copy/data.bin"), workbench.path("out.bin")))
  }

  @Test func `get ends with a clear error if its only peer removes the file`() throws {
    let (slow, fileID, path) = try workbench.serveFile(byteCount: 8 << 20, "--upload-limit", "1Mi")
    let get = try workbench.start(
      ["get", fileID, "--peer", slow.address, "-o", "out.bin", "--verbose", "--chunk-timeout", "2"])
    try workbench.line(of: get, with: "Chunk 2/8")
    unlink(path)
    try workbench.ended(get)
    #expect(get.code == 75, "\(get)")
    #expect(get.stderr.text.contains("it no longer offers the file: it was removed there"), "\(get)")
  }

  @Test func `get completes a file that its peer renames meanwhile`() throws {
    let (slow, fileID, _) = try workbench.serveFile(byteCount: 4 << 20, "--upload-limit", "2Mi")
    let get = try workbench.start(["get", fileID, "--peer", slow.address, "-o", "out.bin", "--verbose"])
    try workbench.line(of: get, with: "Chunk 1/4")
    move("served/data.bin", "served/renamed.bin")
    try workbench.line(of: slow.child, with: "data.bin: is now renamed.bin")
    try workbench.ended(get)
    #expect(get.code == 0, "\(get)")
    #expect(!get.stderr.text.contains("no longer"), "\(get)")
    #expect(TestFile.areEqual(workbench.path("served/renamed.bin"), workbench.path("out.bin")))
  }

  // MARK: Served again

  /// The environment with which several processes share their state.
  private var home: [String] { ["env", "P2PNODE_HOME=\(workbench.path("home"))"] }

  @Test func `a second serve prints the same lines, also while another one runs`() throws {
    let folder = try workbench.makeFolder("served")
    try workbench.makeFile("served/a", byteCount: 3 << 20)
    let first = try workbench.serve(folder, through: home)
    first.child.signal(SIGTERM)
    try workbench.ended(first.child)
    let second = try workbench.serve(folder, through: home)
    #expect(second.child.stdout.lines == first.child.stdout.lines)
    // A third process that runs at the same time shares the database.
    let third = try workbench.serve(folder, through: home)
    #expect(third.child.stdout.lines == first.child.stdout.lines)
    let get = try workbench.run("get", try third.fileID("a"), "--peer", second.address, "-o", "out.bin")
    #expect(get.code == 0, "\(get)")
  }

  @Test func `serve sets a damaged database aside with a warning`() throws {
    let folder = try workbench.makeFolder("served")
    try workbench.makeFile("served/a", byteCount: 3_000)
    let first = try workbench.serve(folder, through: home)
    first.child.signal(SIGTERM)
    try workbench.ended(first.child)
    let state = workbench.path("home/state")
    for name in try FileManager.default.contentsOfDirectory(atPath: state) where name.hasSuffix(".sqlite") {
      try Data("no database".utf8).write(to: URL(fileURLWithPath: "\(state)/\(name)"))
    }
    let second = try workbench.serve(folder, through: home)
    #expect(second.child.stdout.lines == first.child.stdout.lines)
    try workbench.line(of: second.child, with: "warning: \(state)/")
    #expect(second.child.stderr.text.contains("all files are hashed again"), "\(second.child)")
  }

  @Test(.enabled(if: Privileges.canObeyPermissions))
  func `serve exits with 73 if it cannot write to its state folder, and names the remedy`() throws {
    let folder = try workbench.makeFolder("served")
    for name in ["home/config", "home/state"] { _ = try workbench.makeFolder(name) }
    chmod(workbench.path("home/state"), 0o500)
    let serve = try workbench.run(
      "serve", folder, "--listen", "127.0.0.1:0", "--identity", workbench.path("key"),
      through: home + Privileges.obeyPermissions)
    #expect(serve.code == 73, "\(serve)")
    #expect(serve.stderr.text.contains("cannot keep hashes: \(workbench.path("home/state"))"), "\(serve)")
    #expect(serve.stderr.text.contains("P2PNODE_HOME"), "\(serve)")
  }
}
