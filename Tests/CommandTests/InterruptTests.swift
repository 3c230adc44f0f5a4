// Downloads that end midway: verified leaves are kept, and the same command fetches only the rest.
import Foundation
import Testing

struct InterruptTests {
  private let workbench = Workbench()

  /// Returns how many chunks a finished get had already, and how many it fetched.
  private func counts(_ get: Child) throws -> (resumed: Int, fetched: Int) {
    guard let done = try JSONLines.objects(get.stdout).last, done["event"] as? String == "done",
      let resumed = done["resumedChunks"] as? Int, let fetched = done["downloadedChunks"] as? Int
    else { throw Unexpected("not done: \(get)") }
    return (resumed, fetched)
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `a get that a signal ends keeps its part, and the next get fetches less`(signal: Int32) throws {
    let (slow, fileID, path) = try workbench.serveFile(byteCount: 8 << 20, "--upload-limit", "2Mi")
    let output = try workbench.makeFolder("output")
    let interrupted = try workbench.start(["get", fileID, "--peer", slow.address, "-o", output + "/out.bin"])
    try workbench.line(of: interrupted, with: "Chunk 3/8")
    interrupted.signal(signal)
    try workbench.ended(interrupted)
    #expect(interrupted.code == 128 + signal, "\(interrupted)")
    let last = try #require(interrupted.stderr.lines.last)
    let match = try #require(
      last.wholeMatch(
        of: #/p2pnode: interrupted; (\d) of 8 chunks are kept in (.+): run the same command again to resume/#),
      "\(interrupted)")
    let part = "\(output)/.\(fileID.prefix(16)).p2p-part"
    #expect(match.2 == part)
    let names = try FileManager.default.contentsOfDirectory(atPath: output)
    #expect(Set(names) == [".\(fileID.prefix(16)).p2p-part", ".\(fileID.prefix(16)).p2p-journal"])
    let mode = try FileManager.default.attributesOfItem(atPath: part)[.posixPermissions] as? Int
    #expect(mode == 0o600)

    let fast = try workbench.serve(workbench.path("served"))
    let resumed = try workbench.run("get", fileID, "--peer", fast.address, "-o", output + "/out.bin", "--json")
    #expect(resumed.code == 0, "\(resumed)")
    let (had, fetched) = try counts(resumed)
    #expect(had >= 3 && had + fetched == 8, "\(resumed)")
    #expect(TestFile.areEqual(path, output + "/out.bin"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: output) == ["out.bin"])
  }

  @Test func `a killed get loses no verified bytes`() throws {
    let (slow, fileID, path) = try workbench.serveFile(byteCount: 6 << 20, "--upload-limit", "2Mi")
    let killed = try workbench.start(["get", fileID, "--peer", slow.address, "-o", "out.bin"])
    try workbench.line(of: killed, with: "Chunk 2/6")
    killed.signal(SIGKILL)
    try workbench.ended(killed)
    let fast = try workbench.serve(workbench.path("served"))
    let resumed = try workbench.run("get", fileID, "--peer", fast.address, "-o", "out.bin", "--json")
    #expect(resumed.code == 0, "\(resumed)")
    #expect(try counts(resumed).resumed >= 2, "\(resumed)")
    #expect(
      resumed.stderr.text.contains(#/Saved out.bin \(6\.0 MiB, [\d.]+ MiB fetched in /#)
        || resumed.stderr.text.contains(#/Saved \./out.bin \(6\.0 MiB, [\d.]+ MiB fetched in /#), "\(resumed)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test func `for a damaged part file get fetches the damaged chunks again and no wrong byte stays`() throws {
    let (slow, fileID, path) = try workbench.serveFile(byteCount: 6 << 20, "--upload-limit", "2Mi")
    let interrupted = try workbench.start(["get", fileID, "--peer", slow.address, "-o", "out.bin"])
    try workbench.line(of: interrupted, with: "Chunk 3/6")
    interrupted.signal(SIGINT)
    try workbench.ended(interrupted)
    let part = workbench.path(".\(fileID.prefix(16)).p2p-part")
    let file = try #require(FileHandle(forUpdatingAtPath: part))
    for offset in stride(from: 0, to: UInt64(6 << 20), by: 1 << 20) {
      try file.seek(toOffset: offset + 4_321)
      try file.write(contentsOf: [1])
    }
    try file.close()
    let fast = try workbench.serve(workbench.path("served"))
    let resumed = try workbench.run("get", fileID, "--peer", fast.address, "-o", "out.bin", "--json")
    #expect(resumed.code == 0, "\(resumed)")
    #expect(try counts(resumed) == (0, 6), "\(resumed)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test func `get exits with 75 if every peer dies, and the next get continues`() throws {
    let (one, fileID, path) = try workbench.serveFile(byteCount: 8 << 20, "--upload-limit", "2Mi")
    let two = try workbench.serve(workbench.path("served"), "--upload-limit", "2Mi")
    let left = try workbench.start([
      "get", fileID, "--peer", one.address, "--peer", two.address, "-o", "out.bin", "--chunk-timeout", "1",
    ])
    try workbench.line(of: left, with: "Chunk 3/8")
    one.child.signal(SIGKILL)
    two.child.signal(SIGKILL)
    try workbench.ended(left)
    #expect(left.code == 75, "\(left)")
    #expect(left.stderr.lines.last?.contains("run the same command again to resume") == true, "\(left)")
    let fast = try workbench.serve(workbench.path("served"))
    let resumed = try workbench.run("get", fileID, "--peer", fast.address, "-o", "out.bin", "--json")
    #expect(resumed.code == 0, "\(resumed)")
    #expect(try counts(resumed).resumed >= 3, "\(resumed)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test func `an interrupted get that found no peer leaves no file`() throws {
    let impostor = try workbench.impostor(.ssh)
    let silent = try LocalPort.listening()  // connects, but no process accepts
    defer { close(silent.socket) }
    let output = try workbench.makeFolder("output")
    let get = try workbench.start([
      "get", String(repeating: "ab", count: 32), "--peer", "127.0.0.1:\(silent.port)", "--peer", impostor.address, "-o",
      output,
    ])
    try workbench.line(of: get, with: impostor.address)
    get.signal(SIGINT)
    try workbench.ended(get)
    #expect(get.code == 130, "\(get)")
    #expect(get.stderr.lines.last?.hasPrefix("p2pnode: interrupted; nothing is kept") == true, "\(get)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: output) == [])
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `a serve that gets a signal finishes what it sends and exits with 0`(signal: Int32) throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 4 << 20, "--upload-limit", "4Mi")
    let get = try workbench.start([
      "get", fileID, "--peer", served.address, "-o", "out.bin", "--chunk-timeout", "1",
    ])
    try workbench.line(of: get, with: "Chunk 1/4")
    served.child.signal(signal)
    try workbench.ended(served.child)
    #expect(served.child.code == 0, "\(served.child)")
    try workbench.ended(get)
    // If all of the file was in flight, the get is done. If not, it can be resumed, and it was told the reason.
    #expect([0, 75].contains(get.code), "\(get)")
    if get.code == 75 { #expect(get.stderr.text.contains("shutting down"), "\(get)") }
  }
}
