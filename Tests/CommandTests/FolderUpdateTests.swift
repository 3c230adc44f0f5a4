// `get` brings a folder to another version, fetches parts of it, and prints what it would do.
import Foundation
import Testing

@Suite struct FolderUpdateTests {
  private let workbench = Workbench()

  // MARK: Folders

  private func pattern(_ byteCount: Int, seed: UInt64) -> [UInt8] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    return (0..<byteCount).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 56)
    }
  }

  private func serve(_ files: [String: [UInt8]], _ name: String) throws -> (served: Served, id: String) {
    try workbench.write(files, in: "\(name)/tree")
    let served = try workbench.serve(workbench.path(name))
    guard let id = served.folderIDs["tree/"] else { throw Unexpected("the folder is not served: \(served.child)") }
    return (served, id)
  }

  private func get(_ from: (served: Served, id: String), _ options: String...) throws -> Child {
    try workbench.ended(try workbench.start(["get", from.id, "--peer", from.served.address] + options))
  }

  /// Returns the number of bytes that a server sent, from its last line.
  private func uploaded(_ served: Served) throws -> Int {
    served.child.signal(SIGTERM)
    try workbench.ended(served.child)
    for line in served.child.stderr.lines {
      if let match = line.wholeMatch(of: #/uploaded: (\d+) bytes/#) { return Int(match.1)! }
    }
    return 0
  }

  private var small: [String: [UInt8]] {
    Dictionary(
      uniqueKeysWithValues: (0..<60).map { ("small/\($0 % 4)/\($0)", pattern(200 + $0 * 90, seed: UInt64($0))) })
  }

  // MARK: Updates

  @Test func `an update fetches little more than the differences`() throws {
    var files = small
    files["large"] = pattern(12 << 20, seed: 70)
    files["moved/from"] = pattern(3 << 20, seed: 71)
    let first = try serve(files, "one")
    let whole = try get(first, "-o", "copy")
    #expect(whole.code == 0, "\(whole)")
    #expect(try workbench.files(in: "copy") == files)

    // Overwrite 1 MB that is not aligned to chunks, change one small file, rename one large file.
    files["large"]!.replaceSubrange(5_000_000..<6_000_000, with: pattern(1_000_000, seed: 72))
    files["small/1/5"] = pattern(900, seed: 73)
    files["moved/to"] = files.removeValue(forKey: "moved/from")
    let second = try serve(files, "two")
    let update = try get(second, "-o", "copy", "--update", "--delete")
    #expect(update.code == 0 && update.stdout.lines == ["./copy"], "a relative path stays one: \(update)")
    #expect(
      update.stderr.lines.contains { $0.contains(#/^Saved .* \(15\.0 MiB, [\d.]+ MiB fetched in /#) }, "\(update)")
    #expect(try workbench.files(in: "copy") == files)
    let sent = try uploaded(second.served)
    #expect(sent > 1_000_000 && sent < 3 << 20, "\(sent) bytes")

    // Nothing is left to do, so no peer is needed.
    let again = try get(second, "-o", "copy", "--update")
    #expect(again.code == 69 || again.code == 0, "\(again)")
  }

  @Test func `a dry run reports the steps of an update and changes nothing`() throws {
    var files = small
    files["old/name"] = pattern(80_000, seed: 80)
    try workbench.write(files, in: "copy")
    files["new/name"] = files.removeValue(forKey: "old/name")
    files["small/2/2"]!.append(1)
    files["added"] = pattern(500, seed: 81)
    let from = try serve(files, "served")
    let before = try workbench.files(in: "copy")
    let plan = try get(from, "-o", "copy", "--update", "--delete", "--dry-run")
    #expect(plan.code == 0, "\(plan)")
    let changed = files["small/2/2"]!.count
    #expect(
      Array(plan.stdout.lines[..<min(5, plan.stdout.lines.count)]) == [
        "add 500 added", "add 80000 new/name", "change \(changed) small/2/2", "delete 0 old", "delete 80000 old/name",
      ], "\(plan)")
    #expect(plan.stdout.text.contains("Would update the folder: ./copy\n"), "\(plan)")
    #expect(plan.stdout.text.contains("Would keep: 59 ("), "\(plan)")
    let absolute = try get(from, "-o", workbench.path("copy"), "--update", "--dry-run")
    #expect(absolute.stdout.text.contains("Would update the folder: \(workbench.path("copy"))\n"), "\(absolute)")
    #expect(plan.stdout.text.contains("Would fetch at most: \(500 + changed) B"), "\(plan)")
    let json = try get(from, "-o", "copy", "--update", "--dry-run", "--json")
    let last = try GetEvents(json).all.last
    #expect(last?["event"] as? String == "planned" && last?["added"] as? Int == 2, "\(json)")
    #expect(last?["fetchedBytesMax"] as? Int == 500 + changed && last?["copiedBytes"] as? Int == 80_000, "\(json)")
    #expect(try workbench.files(in: "copy") == before)
    // A dry run for an output that does not exist.
    let suggested = try get(from, "--update", "--dry-run")
    #expect(suggested.stdout.lines.contains("Would make the folder: ./tree"), "\(suggested)")
    let fresh = try get(from, "-o", "fresh", "--dry-run", "--include", "added")
    #expect(fresh.code == 0 && fresh.stdout.lines.first == "add 500 added", "\(fresh)")
    #expect(!FileManager.default.fileExists(atPath: workbench.path("fresh")))
    let names = try FileManager.default.contentsOfDirectory(atPath: workbench.folder)
    #expect(!names.contains { $0.contains("p2p-part") })
  }

  @Test func `a comma separates patterns, also for names with a comma, and verify checks the same part`() throws {
    let files: [String: [UInt8]] = ["a/x.txt": [1], "b": [2], "c": [3], "d,e": [4]]
    let from = try serve(files, "served")
    let part = try get(from, "-o", "copy", "--include", "x.txt,b", "--include", "d,e")
    #expect(part.code == 0, "\(part)")
    #expect(try workbench.files(in: "copy") == ["a/x.txt": [1], "b": [2], "d,e": [4]])
    let prefixed = try get(from, "-o", "other", "--include", "tree/b")
    #expect(prefixed.code == 64 && prefixed.stderr.text.contains("do not begin with the name"), "\(prefixed)")
    func verify(_ options: String...) throws -> Child {
      try workbench.ended(try workbench.start(["verify", from.id, "copy", "--peer", from.served.address] + options))
    }
    #expect(try verify().code == 65)
    let right = try verify("--include", "x.txt,b", "--include", "d,e")
    #expect(right.code == 0 && right.stdout.text == "copy: OK\n", "\(right)")
    let rest = try verify("--include", "**", "--exclude", "c")
    #expect(rest.code == 0, "\(rest)")
    _ = try workbench.makeFile("copy/b", [9])
    let wrong = try verify("--include", "b,c")
    #expect(
      wrong.code == 65 && wrong.stdout.lines == ["b: FAILED (different content)", "c: FAILED (missing)"], "\(wrong)")
    #expect(wrong.stderr.text.contains("of 2 entries"), "\(wrong)")
    let nothing = try verify("--include", "nowhere")
    #expect(nothing.code == 64, "\(nothing)")
  }

  @Test func `get fetches a part of a folder, and an update completes it`() throws {
    let files: [String: [UInt8]] = ["a/x.txt": [1], "a/y.log": [2], "b/z.txt": [3], "c": pattern(2 << 20, seed: 5)]
    let from = try serve(files, "served")
    let part = try get(from, "-o", "copy", "--exclude", "*.log", "--include", "a", "--exclude", "x.*", "--exclude", "c")
    #expect(part.code == 0, "\(part)")
    #expect(try workbench.files(in: "copy") == ["a/y.log": [2], "b/z.txt": [3]])
    let other = try get(from, "-o", "other", "--include", "*.txt", "--exclude", "b")
    #expect(other.code == 0, "\(other)")
    #expect(try workbench.files(in: "other") == ["a/x.txt": [1]])
    let none = try get(from, "-o", "none", "--include", "nothing")
    #expect(none.code == 64 && none.stderr.text.contains("--include"), "\(none)")
    #expect(!FileManager.default.fileExists(atPath: workbench.path("none")))
    let rest = try get(from, "-o", "copy", "--update")
    #expect(rest.code == 0, "\(rest)")
    #expect(try workbench.files(in: "copy") == files)
  }

  @Test func `a new output gets files of a folder that the user names`() throws {
    let shared = pattern(4 << 20, seed: 90)
    var changed = shared
    changed[3_000_000] ^= 1
    try workbench.write(["deep/one": shared, "c/large": shared], in: "store")
    let from = try serve(["a": shared, "b": [7], "c/large": changed], "served")
    let get = try get(from, "-o", "copy", "--reuse", workbench.path("store"))
    #expect(get.code == 0, "\(get)")
    #expect(try workbench.files(in: "copy") == ["a": shared, "b": [7], "c/large": changed])
    // Only the chunk of the file that differs is sent.
    let sent = try uploaded(from.served)
    #expect(sent < 1 << 20 | 10_000, "\(sent) bytes")
  }

  @Test func `an update without a name finds the folder by its suggested name and leaves nothing beside it`() throws {
    let files: [String: [UInt8]] = ["a": [1], "b/c": [2]]
    let from = try serve(files, "served")
    let folder = try workbench.makeFolder("here")
    try workbench.write(["a": [9], "own": [3]], in: "here/tree")
    let get = try workbench.ended(
      try workbench.start(["get", from.id, "--peer", from.served.address, "--update"], in: folder))
    #expect(get.code == 0, "\(get)")
    #expect(try workbench.files(in: "here") == ["tree/a": [1], "tree/b/c": [2], "tree/own": [3]])
    // From within the folder, with the folder itself as the output.
    try workbench.write(["a": [8]], in: "here/tree")
    let inside = try workbench.ended(
      try workbench.start(
        ["get", from.id, "--peer", from.served.address, "--update", "-o", "."], in: folder + "/tree"))
    #expect(inside.code == 0, "\(inside)")
    #expect(try workbench.files(in: "here") == ["tree/a": [1], "tree/b/c": [2], "tree/own": [3]])
  }

  @Test func `an updated folder also offers the files that it kept`() throws {
    var files = small
    files["large"] = pattern(3 << 20, seed: 100)
    try workbench.write(files, in: "copy")
    files["small/1/5"] = pattern(900, seed: 101)
    files["large"]![7] ^= 1
    let from = try serve(files, "served")
    let update = try workbench.start(
      ["get", from.id, "--peer", from.served.address, "-o", "copy", "--update", "--keep-serving", "--json"])
    try workbench.line(of: update, on: .stdout, with: "\"event\":\"done\"")
    let listening = try GetEvents(update).named("listening").first
    let address = try #require(listening?["address"] as? String)
    _ = try uploaded(from.served)
    let second = try workbench.ended(try workbench.start(["get", from.id, "--peer", address, "-o", "second"]))
    #expect(second.code == 0, "\(second)")
    #expect(try workbench.files(in: "second") == files)
  }

  // MARK: Refusals

  @Test func `an existing folder is updated only on request`() throws {
    let from = try serve(["a": [1]], "served")
    try workbench.write(["a": [2], "b": [3]], in: "copy/tree")
    for options in [[], ["--force"]] {
      let get = try workbench.ended(
        try workbench.start(["get", from.id, "--peer", from.served.address, "-o", "copy"] + options))
      #expect(get.code == 73 && get.stderr.text.contains("--update"), "\(get)")
    }
    #expect(try workbench.files(in: "copy") == ["tree/a": [2], "tree/b": [3]])
    let outside = try get(from, "-o", "copy", "--update")
    #expect(outside.code == 73 && outside.stderr.text.contains("not its parent folder"), "\(outside)")
    let careless = try get(from, "-o", "copy/tree", "--update", "--delete")
    #expect(careless.code == 73 && careless.stderr.text.contains("--force"), "\(careless)")
    #expect(try workbench.files(in: "copy") == ["tree/a": [2], "tree/b": [3]])
    let careful = try get(from, "-o", "copy/tree", "--update", "--delete", "--force")
    #expect(careful.code == 0, "\(careful)")
    #expect(try workbench.files(in: "copy") == ["tree/a": [1]])
    let missing = try get(from, "-o", "new", "--update", "--reuse", workbench.path("nowhere"))
    #expect(missing.code == 66, "\(missing)")
  }

  @Test func `a folder with unlisted files is not replaced`() throws {
    let from = try serve(["a": [1]], "served")
    try workbench.write(["a/own": [2]], in: "copy")
    let get = try get(from, "-o", "copy", "--update")
    #expect(get.code == 73 && get.stderr.text.contains("a/own"), "\(get)")
    #expect(try workbench.files(in: "copy") == ["a/own": [2]])
  }

  @Test(arguments: [
    ["--delete"], ["--update", "--hidden"], ["--update", "-o", "-"], ["--dry-run", "-o", "-"],
    ["--reuse", ".", "-o", "-"], ["--dry-run", "--keep-serving"], ["--include", ""],
    ["--exclude", "["],
  ])
  func `get exits with 64 if its options exclude each other`(options: [String]) throws {
    let id = String(repeating: "ab", count: 32)
    let get = try workbench.ended(try workbench.start(["get", id, "--peer", "127.0.0.1:9"] + options))
    #expect(get.code == 64, "\(get)")
    #expect(get.stdout.bytes.isEmpty && !get.stderr.bytes.isEmpty, "\(get)")
  }

  @Test func `a dry run of a file's ID exits with 64 and changes nothing`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 100_000)
    try workbench.write(["kept": [7]], in: "place")
    for options in [["-o", "place/kept", "--force"], ["-o", "place/new"], ["-o", "place"]] {
      let get = try workbench.ended(
        try workbench.start(["get", fileID, "--peer", served.address, "--dry-run"] + options))
      #expect(get.code == 64 && get.stderr.text.contains("leave it out to fetch the file"), "\(get)")
      #expect(get.stdout.bytes.isEmpty, "\(get)")
    }
    #expect(try workbench.files(in: "place") == ["kept": [7]])
  }

  // MARK: Crashes

  @Test(.enabled(if: Trace.isHere, "strace is not here"))
  func `after a kill at any rename or removal the next update completes the folder`() throws {
    var old = small
    old["large"] = pattern(3 << 20, seed: 95)
    old["gone/x"] = [1]
    var files = old
    files["large"]![100] ^= 1
    files["gone/x"] = nil
    files["new/y"] = pattern(50_000, seed: 96)
    for i in 0..<8 { files["small/\(i % 4)/\(i)"] = pattern(700, seed: UInt64(200 + i)) }
    let from = try serve(files, "served")
    for (call, numbers) in [
      ("renameat", [1, 2, 5, 8]), ("renameat2", [1, 2]), ("unlinkat", [1, 3, 6]), ("syncfs", [1, 2]),
    ] {
      for number in numbers {
        let folder = "\(call)-\(number)"
        try workbench.write(old, in: folder)
        let arguments = [
          "get", from.id, "--peer", from.served.address, "-o", folder, "--update", "--delete", "--quiet",
        ]
        _ = try workbench.ended(try workbench.start(arguments, through: Trace.killing(at: call, number: number)))
        for (path, bytes) in try workbench.files(in: folder) where !path.contains(".p2p-part") {
          #expect(bytes == old[path] || bytes == files[path], "\(path) after \(call) \(number)")
        }
        let next = try workbench.ended(try workbench.start(arguments))
        #expect(next.code == 0, "\(next)")
        #expect(try workbench.files(in: folder) == files, "\(call) \(number)")
      }
    }
  }
}
