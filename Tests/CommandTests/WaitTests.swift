// `--wait`: downloads that start before their peers, lose them, and end when their time is over.
import Foundation
import Testing

struct WaitTests {
  private let workbench = Workbench()

  /// Makes a file that no peer serves yet. Returns its ID and a free port of this machine.
  private func makeFile(byteCount: Int) throws -> (fileID: String, port: UInt16) {
    _ = try workbench.makeFolder("served")
    let path = try workbench.makeFile("served/data.bin", byteCount: byteCount)
    let id = try workbench.run("id", path)
    return (String(id.stdout.text.prefix(64)), try LocalPort.closed())
  }

  private func isFetched(_ name: String) -> Bool {
    TestFile.areEqual(workbench.path("served/data.bin"), workbench.path(name))
  }

  @Test func `get --wait may start before serve`() throws {
    let (fileID, port) = try makeFile(byteCount: 3_000_000)
    let get = try workbench.start(
      ["get", fileID, "--peer", "127.0.0.1:\(port)", "-o", "out.bin", "--wait", "forever"])
    try workbench.line(of: get, with: "Waiting for a peer that has it: 0s, dialling 127.0.0.1:\(port) again in 1s")
    _ = try workbench.serve(workbench.path("served"), at: "127.0.0.1:\(port)")
    #expect(try workbench.ended(get).code == 0, "\(get)")
    #expect(isFetched("out.bin"))
    // If a dial fails like the previous one, it is not reported again.
    #expect(get.stderr.lines.count { $0.contains("Connection refused") } == 1, "\(get)")
  }

  @Test func `without --wait a get ends at once`() throws {
    let (fileID, port) = try makeFile(byteCount: 1_000)
    let get = try workbench.run("get", fileID, "--peer", "127.0.0.1:\(port)")
    #expect(get.code == 69 && !get.stderr.text.contains("aiting"), "\(get)")
  }

  @Test func `get --wait continues when its only peer returns after a crash`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 8 << 20, "--upload-limit", "2Mi")
    let get = try workbench.start(
      ["get", fileID, "--peer", served.address, "-o", "out.bin", "--wait", "1h", "--chunk-timeout", "1"])
    try workbench.line(of: get, with: "Chunk 2/8")
    served.child.signal(SIGKILL)
    try workbench.ended(served.child)
    try workbench.line(of: get, with: "Waiting for a peer that has the rest: ")
    _ = try workbench.serve(workbench.path("served"), at: served.address)
    #expect(try workbench.ended(get).code == 0, "\(get)")
    #expect(isFetched("out.bin"))
  }

  @Test func `a get without --wait mentions --wait when it fails`() throws {
    let (fileID, port) = try makeFile(byteCount: 1_000)
    let get = try workbench.run("get", fileID, "--peer", "127.0.0.1:\(port)")
    #expect(get.code == 69 && get.stderr.text.contains("wait for it with --wait 10m"), "\(get)")
    let waited = try workbench.run("get", fileID, "--peer", "127.0.0.1:\(port)", "--wait", "1s")
    #expect(waited.code == 69 && !waited.stderr.text.contains("--wait 10m"), "\(waited)")
  }

  @Test func `get --wait ends with the usual error and reports how long it waited`() throws {
    let (fileID, port) = try makeFile(byteCount: 1_000)
    let get = try workbench.run("get", fileID, "--peer", "127.0.0.1:\(port)", "--wait", "2s", "--json")
    #expect(get.code == 69, "\(get)")
    #expect(get.stderr.text.contains("p2pnode: no peer can be reached after waiting 2s (127.0.0.1:\(port)"), "\(get)")
    let table = try EventTable()
    let objects = try JSONLines.objects(get.stdout)
    for object in objects { #expect(table.difference(of: object) == nil, "\(get)") }
    let waits = objects.filter { $0["event"] as? String == "waiting" }
    #expect(waits.first?["state"] as? String == "noPeer" && waits.first?["limit"] as? Double == 2, "\(get)")
    #expect((1...2).contains(waits.count), "\(get)")
  }

  @Test func `get and ls with --wait ask a peer until it has the file`() throws {
    let (fileID, port) = try makeFile(byteCount: 200_000)
    _ = try workbench.makeFolder("empty")
    let empty = try workbench.serve(workbench.path("empty"), at: "127.0.0.1:\(port)")
    let get = try workbench.start(["get", fileID, "--peer", empty.address, "-o", "out.bin", "--wait", "10m"])
    let ls = try workbench.start(["ls", fileID, "--peer", empty.address, "--wait", "10m"])
    for child in [get, ls] { try workbench.line(of: child, with: "Waiting for a peer that has it: ") }
    try FileManager.default.copyItem(
      atPath: workbench.path("served/data.bin"), toPath: workbench.path("empty/data.bin"))
    for child in [get, ls] { #expect(try workbench.ended(child).code == 0, "\(child)") }
    #expect(isFetched("out.bin") && ls.stdout.text.contains("200000"), "\(ls)")
  }

  @Test func `a folder and several IDs wait, each for itself`() throws {
    let folder = try workbench.makeFolder("served/tree/sub")
    try workbench.makeFile("served/tree/a.bin", byteCount: 1_200_000, seed: 2)
    try workbench.makeFile("served/tree/sub/b.bin", byteCount: 300_000, seed: 3)
    let (fileID, port) = try makeFile(byteCount: 1_000)
    #expect(!folder.isEmpty)
    let id = try workbench.run("id", workbench.path("served/tree"))
    let treeID = try #require(
      id.stdout.lines.compactMap { $0.wholeMatch(of: #/([0-9a-f]{64})  .*\//#) }.last.map { String($0.1) }, "\(id)"
    )
    let get = try workbench.start(
      ["get", treeID, fileID, "--peer", "127.0.0.1:\(port)", "--wait", "10m"], in: workbench.makeFolder("output"))
    for one in [treeID, fileID] {
      try workbench.line(of: get, with: "[\(one.prefix(8))] [Downloader] Waiting for a peer that has it: ")
    }
    _ = try workbench.serve(workbench.path("served"), at: "127.0.0.1:\(port)")
    #expect(try workbench.ended(get).code == 0, "\(get)")
    #expect(
      TestFile.areEqual(workbench.path("served/tree/sub/b.bin"), workbench.path("output/tree/sub/b.bin")), "\(get)")
    #expect(isFetched("output/data.bin"))
  }

  @Test func `Ctrl-C ends a wait`() throws {
    let (fileID, port) = try makeFile(byteCount: 1_000)
    let get = try workbench.start(["get", fileID, "--peer", "127.0.0.1:\(port)", "--wait", "forever"])
    try workbench.line(of: get, with: "Waiting for ")
    get.signal(SIGINT)
    #expect(try workbench.ended(get).code == 130, "\(get)")
  }
}
