// `get --exec` runs a program after each completed download.
import Foundation
import Testing

struct ExecTests {
  private let workbench = Workbench()

  /// Makes an executable script. Returns its path.
  private func script(_ text: String) throws -> String {
    try workbench.makeFile("hook", Array("#!/bin/sh\n\(text)\n".utf8), mode: 0o755)
  }

  private func get(_ fileID: String, _ served: Served, exec program: String, _ options: String...) throws -> Child {
    try workbench.start(
      ["get", fileID, "--peer", served.address, "-o", "out.bin", "--exec", program] + options)
  }

  @Test func `get --exec passes the absolute path and the ID once the output has its name`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 1_500_000)
    let hook = try script(#"echo "$#,$1,$P2PNODE_PATH,$P2PNODE_ID"; cp "$1" copy; echo error >&2"#)
    let child = try workbench.ended(get(fileID, served, exec: hook))
    #expect(child.code == 0, "\(child)")
    let real = try #require(realpath(workbench.path("out.bin"), nil).map { String(cString: $0) })
    let line = child.stderr.lines.first { $0.hasPrefix("1,") }
    #expect(line == "1,\(real),\(real),\(fileID)", "\(child)")
    #expect(child.stderr.lines.contains("error"), "\(child)")
    #expect(child.stdout.lines == ["./out.bin"], "what it prints is not on stdout: \(child)")
    #expect(TestFile.areEqual(path, workbench.path("copy")))
  }

  @Test func `get --exec uses no shell for path or ID`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 1_000)
    let child = try workbench.ended(get(fileID, served, exec: "touch made; true"))
    #expect(child.code == 0, "\(child)")
    #expect(
      child.stderr.text.contains("p2pnode: --exec touch made; true cannot be started: no such file"), "\(child)")
    #expect(!FileManager.default.fileExists(atPath: workbench.path("made")))
  }

  @Test(arguments: [("exit 3", "ended with exit code 3"), ("kill -9 $$", "was ended by signal 9")])
  func `a failure of the --exec program is reported and changes no exit code`(text: String, words: String) throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 1_000)
    let child = try workbench.ended(get(fileID, served, exec: try script(text), "--json", "--quiet"))
    #expect(child.code == 0, "\(child)")
    #expect(child.stderr.text.contains(words), "\(child)")
    let table = try EventTable()
    let objects = try JSONLines.objects(child.stdout)
    for object in objects { #expect(table.difference(of: object) == nil, "\(child)") }
    #expect(objects.last?["event"] as? String == "exec" && objects.last?["message"] != nil, "\(child)")
  }

  @Test func `get --exec runs once for each output, also for one that is already there`() throws {
    let folder = try workbench.makeFolder("served")
    for i in 0..<3 { try workbench.makeFile("served/\(i).bin", byteCount: 100_000 + i, seed: UInt64(i + 1)) }
    let served = try workbench.serve(folder)
    let ids = try (0..<3).map { try served.fileID("\($0).bin") }
    let hook = try script(#"echo "$1" >>done"#)
    let output = try workbench.makeFolder("output")
    for round in 1...2 {
      let child = try workbench.start(["get"] + ids + ["--peer", served.address, "-o", output, "--exec", hook])
      #expect(try workbench.ended(child).code == 0, "\(child)")
      let lines = try String(contentsOfFile: workbench.path("done"), encoding: .utf8).split(separator: "\n")
      let wanted = (0..<3).map { "\(output)/\($0).bin" }
      #expect(lines.map(String.init).sorted() == (wanted + (round == 2 ? wanted : [])).sorted(), "\(child)")
    }
  }

  @Test func `the --exec program gets only its streams and no blocked signal, and leaves no zombie`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 1_000)
    let hook = try script(
      """
      for n in /proc/$$/fd/*; do echo "fd $n $(readlink $n)"; done
      grep -E '^Sig(Blk|Ign)' /proc/self/status
      """)
    // The tests may have files open that their children inherit.
    let closing = #"for f in /proc/self/fd/*; do n=${f##*/}; ((n > 2)) && eval "exec $n>&-"; done; exec "$@""#
    let child = try workbench.ended(
      workbench.start(
        ["get", fileID, "--peer", served.address, "-o", "out.bin", "--exec", hook, "--keep-serving=1s"],
        through: ["/bin/bash", "-c", closing, "get"]))
    #expect(child.code == 0, "\(child)")
    let all = child.stderr.lines.filter { $0.hasPrefix("fd ") }
    let open = all.filter { $0.firstMatch(of: #/fd/[012] /#) == nil }
    #expect(all.count - open.count == 3, "\(child)")
    #expect(!open.contains { $0.contains("socket:") || $0.contains("anon_inode:") || $0.contains(".bin") }, "\(child)")
    let blocked = child.stderr.lines.first { $0.hasPrefix("SigBlk") }
    #expect(blocked?.hasSuffix(String(repeating: "0", count: 16)) == true, "\(child)")
    // p2pnode itself ignores SIGPIPE. Its child must not.
    let ignored = child.stderr.lines.first { $0.hasPrefix("SigIgn") }.flatMap {
      UInt64($0.suffix(16), radix: 16)
    }
    #expect(ignored.map { $0 & (1 << UInt64(SIGPIPE - 1)) } == 0, "\(child)")
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `a signal ends the running --exec program and then get`(signal: Int32) throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 1_000)
    let hook = try script("echo runs; exec tail -f /dev/null")
    let child = try get(fileID, served, exec: hook)
    try workbench.line(of: child, with: "runs")
    child.signal(signal)
    #expect(try workbench.ended(child).code == 0, "\(child)")
    #expect(child.stderr.text.contains("was ended by signal \(signal)"), "\(child)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }
}
