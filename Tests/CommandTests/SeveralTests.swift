// `get` with several IDs: they run in parallel, each ends by itself, and there is one exit code.
import Foundation
import Testing

struct SeveralTests {
  private let workbench = Workbench()
  private static let unknown = String(repeating: "0", count: 64)

  /// Serves files with these lengths. Returns their IDs in the same order.
  private func served(_ byteCounts: [Int], _ options: String...) throws -> (served: Served, ids: [String]) {
    let folder = try workbench.makeFolder("served")
    for (i, count) in byteCounts.enumerated() {
      try workbench.makeFile("served/\(i).bin", byteCount: count, seed: UInt64(i + 1))
    }
    let served = try workbench.listen(folder, options)
    try workbench.line(of: served.child, "'ready'") { $0.hasPrefix("ready: ") }
    return (served, try byteCounts.indices.map { try served.fileID("\($0).bin") })
  }

  private func isFetched(_ i: Int, as name: String? = nil) -> Bool {
    TestFile.areEqual(workbench.path("served/\(i).bin"), workbench.path(name ?? "\(i).bin"))
  }

  // MARK: Ends

  @Test func `if one of three IDs fails, the others are fetched`() throws {
    let (served, ids) = try served([1_500_000, 3_000_000])
    let get = try workbench.run("get", ids[0], SeveralTests.unknown, ids[1], "--peer", served.address)
    #expect(get.code == 69, "\(get)")
    #expect(isFetched(0) && isFetched(1), "\(get)")
    #expect(get.stdout.lines.sorted() == ["./0.bin", "./1.bin"], "\(get)")
    let errors = get.stderr.lines.filter { $0.hasPrefix("p2pnode: ") }
    #expect(errors.count == 1 && errors[0].hasPrefix("p2pnode: \(SeveralTests.unknown): no peer has "), "\(get)")
    #expect(get.stderr.lines.last?.hasPrefix("[Downloader] Downloads complete: 2 of 3 (4500000 bytes in ") == true)
    for (i, id) in ids.enumerated() {
      let own = get.stderr.lines.filter { $0.hasPrefix("[\(id.prefix(8))] ") }.map { String($0.dropFirst(11)) }
      #expect(own.first == "[Downloader] Starting parallel download: \(i).bin (\(i + 2) chunks from 1 peers)", "\(get)")
      #expect(own.contains { $0.wholeMatch(of: #/\[Worker 0\] Chunk 1/\d \(.*%\) from [0-9a-f]{8} in \d+ms/#) != nil })
      #expect(own.contains("[Stats] Total chunks: \(i + 2), Downloaded: \(i + 2), Failed: 0"), "\(get)")
      #expect(own.contains { $0.hasPrefix("  - \(served.shortPeerID): \(i + 2) chunks, avg latency ") }, "\(get)")
    }
  }

  @Test func `the exit code is that of the first failed ID in the order given`() throws {
    let (served, ids) = try served([1_000])
    let absent = "\(SeveralTests.unknown)\n"
    let misplaced = "\(ids[0])\tnowhere/0.bin\n"
    for (list, code) in [(absent + misplaced, 69), (misplaced + absent, 73)] {
      let file = try workbench.makeFile("list", Array(list.utf8))
      let get = try workbench.run("get", "--input-file", file, "--peer", served.address, "--quiet")
      #expect(get.code == Int32(code), "\(get)")
      #expect(get.stderr.lines.count == 2, "\(get)")
    }
  }

  @Test func `a single ID keeps its form of lines and events`() throws {
    let (served, ids) = try served([1_000])
    let get = try workbench.run("get", ids[0], "--peer", served.address, "--json")
    #expect(get.code == 0, "\(get)")
    #expect(get.stderr.lines.contains("[Stats] File: 0.bin"), "\(get)")
    #expect(try JSONLines.objects(get.stdout).allSatisfy { $0["id"] == nil }, "\(get)")
  }

  // MARK: Events

  @Test func `each event of several downloads has its ID, and each ID has an end`() throws {
    let (served, ids) = try served([3_000_000, 1_000])
    let get = try workbench.run("get", ids[0], SeveralTests.unknown, ids[1], "--peer", served.address, "--json")
    #expect(get.code == 69, "\(get)")
    let table = try EventTable()
    var ends: [String: [String]] = [:]
    for var object in try JSONLines.objects(get.stdout) {
      let event = try #require(object["event"] as? String)
      let id = try #require(object.removeValue(forKey: "id") as? String, "\(get)")
      #expect(table.difference(of: object) == nil, "\(get)")
      if event == "done" || event == "failed" { ends[id, default: []].append(event) }
    }
    #expect(ends == [ids[0]: ["done"], ids[1]: ["done"], SeveralTests.unknown: ["failed"]], "\(get)")
  }

  @Test func `all downloads share one port and one PeerID`() throws {
    let (served, ids) = try served([3_000_000, 3_000_000], "--verbose")
    let get = try workbench.run("get", ids[0], ids[1], "--peer", served.address, "--json", "--jobs", "2")
    #expect(get.code == 0, "\(get)")
    let addresses = try JSONLines.objects(get.stdout).filter { $0["event"] as? String == "listening" }
      .compactMap { $0["address"] as? String }
    #expect(addresses.count == 2 && Set(addresses).count == 1, "\(get)")
    try workbench.line(of: served.child, with: "it said: done")
    #expect(served.child.stderr.lines.count { $0.hasSuffix(": connected") } == 1, "\(served.child)")
  }

  // MARK: Jobs

  @Test func `with one job the second download begins after the first`() throws {
    let (served, ids) = try served([3_000_000, 1_000])
    let get = try workbench.run("get", ids[0], ids[1], "--peer", served.address, "--json", "--jobs", "1")
    #expect(get.code == 0, "\(get)")
    let order = try JSONLines.objects(get.stdout).compactMap { $0["id"] as? String }
    let second = try #require(order.firstIndex(of: ids[1]))
    #expect(Set(order[..<second]) == [ids[0]] && Set(order[second...]) == [ids[1]], "\(get)")
  }

  @Test func `a file that stays offered occupies no job`() throws {
    let (served, ids) = try served([1_000, 2_000])
    let get = try workbench.start(
      ["get", ids[0], ids[1], "--peer", served.address, "--jobs", "1", "--keep-serving"])
    for id in ids {
      try workbench.line(of: get, "'Still serving'") { $0.hasPrefix("[\(id.prefix(8))] [Downloader] Still serving ") }
    }
    #expect(get.stdout.lines == ["./0.bin", "./1.bin"], "\(get)")
    get.signal(SIGINT)
    #expect(try workbench.ended(get).code == 0, "\(get)")
    #expect(get.stdout.lines.count == 2, "\(get)")
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `a signal ends all downloads and keeps their parts, and the same command continues`(signal: Int32) throws {
    let (served, ids) = try served([6 << 20, 6 << 20, 1_000], "--upload-limit", "2Mi")
    let arguments = ["get"] + ids + ["--peer", served.address, "--jobs", "2", "--json"]
    let get = try workbench.start(arguments)
    for id in ids[..<2] {
      try workbench.line(of: get, on: .stdout, "a chunk") { $0.contains(#""chunk","#) && $0.contains(id) }
    }
    get.signal(signal)
    #expect(try workbench.ended(get).code == 128 + signal, "\(get)")
    #expect(get.stderr.text.contains("p2pnode: interrupted before 1 download began"), "\(get)")
    let ends = try JSONLines.objects(get.stdout).filter { $0["event"] as? String == "failed" }
    #expect(Set(ends.compactMap { $0["id"] as? String }) == Set(ids), "\(get)")
    #expect(ends.count { $0["part"] != nil } == 2, "\(get)")
    served.child.signal(SIGTERM)
    try workbench.ended(served.child)
    let fast = try workbench.serve(workbench.path("served"))
    let again = try workbench.run("get", ids[0], ids[1], ids[2], "--peer", fast.address, "--json")
    #expect(again.code == 0, "\(again)")
    let done = try JSONLines.objects(again.stdout).filter { $0["event"] as? String == "done" }
    #expect(done.count { $0["resumedChunks"] as? Int ?? 0 > 0 } == 2, "\(again)")
    for i in 0..<3 { #expect(isFetched(i)) }
  }

  // MARK: Lists

  @Test func `an input file has comments, links, and paths after tabs`() throws {
    let (served, ids) = try served([1_000, 2_000, 3_000])
    _ = try workbench.makeFolder("out")
    let list = "# all\n\n  \n\(ids[0])\r\n\(ids[1])\tnamed by me.bin\n'p2pnode:\(ids[2])/name=linked.bin".filter {
      $0 != "'"
    }
    let file = try workbench.makeFile("list", Array(list.utf8))
    let get = try workbench.run("get", "--input-file", file, "--peer", served.address, "-o", "out", "--quiet")
    #expect(get.code == 0 && get.stderr.bytes.isEmpty, "\(get)")
    #expect(get.stdout.lines.sorted() == ["./named by me.bin", "out/0.bin", "out/linked.bin"], "\(get)")
    #expect(isFetched(0, as: "out/0.bin") && isFetched(1, as: "named by me.bin") && isFetched(2, as: "out/linked.bin"))
  }

  @Test func `a list can come from standard input`() throws {
    let (served, ids) = try served([1_000, 2_000])
    _ = try workbench.makeFile("list", Array((ids.joined(separator: "\n") + "\n").utf8))
    let get = try workbench.run(
      "get", "--input-file", "-", "--peer", served.address, through: ["sh", "-c", #"exec "$@" < list"#, "sh"])
    #expect(get.code == 0, "\(get)")
    #expect(isFetched(0) && isFetched(1), "\(get)")
  }

  @Test(arguments: [
    ("%\nabcd\n", "list:2: 'abcd' is not a fileID"), ("%\n\n# x\np2pnode:x\n", "list:4: this is not a link"),
    ("%\t\n", "list:1: has no path"), ("%\t-\n", "list:1: several IDs cannot go to stdout"),
    ("\u{FF}\u{0}\n", "list:1: 'ÿ"), ("%\ta\u{0}b\n", "list:1: is not text"), ("", "list: has no ID"),
    ("# nothing\n", "list: has no ID"), ("%\ta\n%\tb\n", "list:2: % has two output paths"),
    ("%\ta\n@\ta\n", "list:2: @ has the same path as %"),
  ])
  func `a mistake in a list exits with 64, names its line and fetches nothing`(list: String, words: String) throws {
    func filled(_ text: String) -> String {
      text.replacingOccurrences(of: "%", with: String(repeating: "ab", count: 32))
        .replacingOccurrences(of: "@", with: String(repeating: "cd", count: 32))
    }
    _ = try workbench.makeFile("list", Array(filled(list).utf8))
    let get = try workbench.run("get", "--input-file", "list", "--peer", "127.0.0.1:9", "--json")
    #expect(get.code == 64, "\(get)")
    #expect(get.stderr.lines.count == 1 && get.stderr.text.contains("p2pnode: " + filled(words)), "\(get)")
    #expect(get.stdout.lines.count == 1 && get.stdout.text.contains(#""failed""#), "\(get)")
  }

  @Test func `get exits with 66 if the list is missing`() throws {
    let get = try workbench.run("get", "--input-file", "missing", "--peer", "127.0.0.1:9")
    #expect(get.code == 66, "\(get)")
  }

  @Test func `an ID that is given twice is fetched once`() throws {
    let (served, ids) = try served([1_000])
    let get = try workbench.run("get", ids[0], ids[0], "--peer", served.address)
    #expect(get.code == 0, "\(get)")
    #expect(get.stdout.lines == ["./0.bin"], "\(get)")
    #expect(get.stderr.lines.contains("[Downloader] \(ids[0]) is named twice, and fetched once"), "\(get)")
  }

  @Test func `several IDs need a folder as output`() throws {
    let get = try workbench.run("get", SeveralTests.unknown, SeveralTests.unknown, "-o", "x", "--peer", "127.0.0.1:9")
    #expect(get.code == 73 && get.stderr.text.contains("x: is not a folder"), "\(get)")
  }
}
