// `get` is killed anywhere, or its disk fails: the final file is right, and what the journal claimed is not fetched again.
//
// P2PNODE_CRASHES=all kills at every call of every kind, which takes many minutes.
import Content
import Foundation
import Testing
import Transfer

/// Where a crash strikes.
private struct Moment: CustomStringConvertible {
  let call: String
  let number: Int
  var description: String { "\(call) \(number)" }

  /// Each thread counts its own calls, so the last numbers may come after the end.
  static let all: [Moment] = {
    let isAll = ProcessInfo.processInfo.environment["P2PNODE_CRASHES"] == "all"
    let writes = isAll ? Array(1...700) : [1, 2, 17, 150, 300, 500]
    return writes.map { Moment(call: "pwrite64", number: $0) }
      + (1...3).map { Moment(call: "fdatasync", number: $0) }
      + (1...2).map { Moment(call: "fsync", number: $0) }
      + [Moment(call: "renameat2", number: 1)]
  }()
}

@Suite(.serialized) struct CrashTests {
  private let workbench = Workbench()
  private static let byteCount = (65 << 20) + 70_000

  private func names(_ folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }

  /// Bytes that the journal beside the part file claims.
  private func claimedBytes(_ fileID: String, in folder: String, byteCount: Int) -> Int {
    guard let bytes = FileManager.default.contents(atPath: "\(folder)/.\(fileID.prefix(16)).p2p-journal"),
      let contents = JournalContents(decoding: Array(bytes)), let layout = ChunkLayout(fileLength: UInt64(byteCount))
    else { return 0 }
    return contents.claims(in: layout).reduce(0) { sum, claim in
      (0..<64).filter { claim.value & (1 << UInt64($0)) != 0 }.reduce(sum) {
        $0 + layout.length(of: LeafRange(first: $1, count: 1), in: claim.key)
      }
    }
  }

  private func done(_ get: Child) throws -> [String: Any] {
    guard get.code == 0, let done = try JSONLines.objects(get.stdout).last, done["event"] as? String == "done" else {
      throw Unexpected("not done: \(get)")
    }
    return done
  }

  @Test(.enabled(if: Trace.isHere, "strace is not here"))
  func `killed at any write, sync or rename, the next get makes the right file of what is there`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: Self.byteCount)
    for moment in Moment.all {
      let output = try workbench.makeFolder("output")
      let arguments = ["get", fileID, "--peer", served.address, "-o", output + "/out.bin", "--json"]
      let killed = try workbench.start(arguments, through: Trace.killing(at: moment.call, number: moment.number))
      try workbench.ended(killed)
      let code = try #require(killed.code)
      #expect(moment.number > 1 ? [0, -SIGKILL].contains(code) : code == -SIGKILL, "\(moment): \(killed)")
      let claimed = claimedBytes(fileID, in: output, byteCount: Self.byteCount)
      let wasNamed = try names(output).contains("out.bin")
      let resumed = try workbench.ended(try workbench.start(arguments))
      let stats = try done(resumed)
      #expect(TestFile.areEqual(path, output + "/out.bin"), "\(moment)")
      #expect(try names(output) == ["out.bin"], "\(moment)")
      let fetched = try #require(stats["bytes"] as? Int)
      #expect(fetched <= (wasNamed ? 0 : Self.byteCount - claimed), "\(moment): \(resumed)")
      #expect(stats["found"] as? Bool == wasNamed, "\(moment): \(resumed)")
      try FileManager.default.removeItem(atPath: output)
    }
  }

  @Test(.enabled(if: Trace.isHere, "strace is not here"), arguments: 1...2)
  func `a sync that fails is 74, and the part is kept`(number: Int) throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: Self.byteCount)
    let output = try workbench.makeFolder("output")
    let arguments = ["get", fileID, "--peer", served.address, "-o", output + "/out.bin", "--json"]
    let failed = try workbench.start(arguments, through: Trace.failing("fdatasync", "EIO", number: number))
    try workbench.ended(failed)
    if number == 1 { #expect(failed.code == 74, "\(failed)") }
    guard failed.code != 0 else { return }  // only one sync was made in each thread
    #expect(failed.stderr.lines.last?.contains("Input/output error") == true, "\(failed)")
    let part = "\(output)/.\(fileID.prefix(16)).p2p-part"
    #expect(try FileManager.default.attributesOfItem(atPath: part)[.posixPermissions] as? Int == 0o600)
    #expect(try !names(output).contains("out.bin"))
    _ = try done(try workbench.ended(try workbench.start(arguments)))
    #expect(TestFile.areEqual(path, output + "/out.bin"))
  }

  @Test func `what the journal claims is not fetched again, also of an unfinished chunk`() throws {
    let (slow, fileID, path) = try workbench.serveFile(byteCount: Self.byteCount, "--upload-limit", "2Mi")
    let output = try workbench.makeFolder("output")
    let killed = try workbench.start(["get", fileID, "--peer", slow.address, "-o", output])
    try workbench.wait(for: "the first claim") { claimedBytes(fileID, in: output, byteCount: Self.byteCount) > 0 }
    killed.signal(SIGKILL)
    try workbench.ended(killed)
    let claimed = claimedBytes(fileID, in: output, byteCount: Self.byteCount)
    let fast = try workbench.serve(workbench.path("served"))
    let stats = try done(try workbench.run("get", fileID, "--peer", fast.address, "-o", output, "--json"))
    let fetched = try #require(stats["bytes"] as? Int)
    #expect(claimed > 0 && fetched <= Self.byteCount - claimed, "\(claimed) claimed: \(stats)")
    #expect(TestFile.areEqual(path, output + "/data.bin"))
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `a get that a signal ends says at once what it has, and none of it is fetched again`(signal: Int32) throws {
    let (slow, fileID, path) = try workbench.serveFile(byteCount: Self.byteCount, "--upload-limit", "3Mi")
    let output = try workbench.makeFolder("output")
    let stopped = try workbench.start(["get", fileID, "--peer", slow.address, "-o", output, "--json", "--verbose"])
    try workbench.line(of: stopped, with: "Chunk 4/")
    stopped.signal(signal)
    try workbench.ended(stopped)
    #expect(stopped.code == 128 + signal, "\(stopped)")
    let failed = try #require(try JSONLines.objects(stopped.stdout).last)
    let verified = try #require(failed["bytes"] as? Int, "\(failed)")
    let claimed = claimedBytes(fileID, in: output, byteCount: Self.byteCount)
    #expect(verified >= 4 << 20 && claimed >= verified, "\(claimed) claimed, \(verified) verified")
    let fast = try workbench.serve(workbench.path("served"))
    let stats = try done(try workbench.run("get", fileID, "--peer", fast.address, "-o", output, "--json"))
    #expect(stats["bytes"] as? Int == Self.byteCount - claimed, "\(stats)")
    #expect(TestFile.areEqual(path, output + "/data.bin"))
  }

  @Test func `killed again and again at random, no verified chunk is fetched twice`() throws {
    let chunkCount = 160
    let byteCount = chunkCount << 20 - 12_345
    let (slow, fileID, path) = try workbench.serveFile(byteCount: byteCount, "--upload-limit", "60Mi")
    let output = try workbench.makeFolder("output")
    let seed = UInt64.random(in: 0 ... .max)
    var generator = SeededGenerator(seed: seed)
    let kills = ProcessInfo.processInfo.environment["P2PNODE_CRASHES"] == "all" ? 20 : 4
    var finishedBefore = 0
    for kill in 1...kills {
      let get = try workbench.start(["get", fileID, "--peer", slow.address, "-o", output, "--verbose"])
      let left = chunkCount * kill / (kills + 1) - finishedBefore
      let due = finishedBefore + max(1, Int.random(in: 1...max(1, left), using: &generator))
      try workbench.line(of: get, "a chunk from \(due) on") { line in
        guard let match = line.firstMatch(of: #/ Chunk (\d+)\//#), let number = Int(match.1) else { return false }
        finishedBefore = number
        return number >= due
      }
      get.signal(SIGKILL)
      try workbench.ended(get)
    }
    let claimed = claimedBytes(fileID, in: output, byteCount: byteCount)
    let stats = try done(try workbench.run("get", fileID, "--peer", slow.address, "-o", output, "--json"))
    #expect(TestFile.areEqual(path, output + "/data.bin"))
    #expect(try names(output) == ["data.bin"])
    let (fetched, bytes) = (stats["downloadedChunks"] as? Int ?? -1, stats["bytes"] as? Int ?? -1)
    // What was printed was on its way to the disk before.
    #expect(fetched >= 0 && fetched <= chunkCount - finishedBefore, "seed \(seed): \(stats)")
    #expect(bytes >= 0 && bytes <= byteCount - claimed, "seed \(seed): \(stats)")
  }
}

struct FoundTests {
  private let workbench = Workbench()

  @Test func `a file that is there already is said to be, and not fetched, also with --force`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 3 << 20 | 7)
    let output = try workbench.makeFolder("output")
    #expect(try workbench.run("get", fileID, "--peer", served.address, "-o", output).code == 0)
    let before = try FileManager.default.attributesOfItem(atPath: output + "/data.bin")[.systemFileNumber] as? Int
    for more in [[], ["--force"]] {
      let again = try workbench.start(["get", fileID, "--peer", served.address, "-o", output] + more)
      try workbench.ended(again)
      #expect(again.code == 0, "\(again)")
      #expect(again.stderr.lines == ["[Downloader] Already here, and right: \(output)/data.bin"], "\(again)")
    }
    let json = try workbench.run("get", fileID, "--peer", served.address, "-o", output, "--json", "--quiet")
    let done = try #require(try JSONLines.objects(json.stdout).last)
    #expect(done["found"] as? Bool == true && done["downloadedChunks"] as? Int == 0 && done["bytes"] as? Int == 0)
    let after = try FileManager.default.attributesOfItem(atPath: output + "/data.bin")[.systemFileNumber] as? Int
    #expect(before == after)
    #expect(TestFile.areEqual(path, output + "/data.bin"))
  }

  @Test func `a file of the same length with another byte is 73, and replaced with --force`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 3 << 20 | 7)
    var bytes = Array(try #require(FileManager.default.contents(atPath: path)))
    bytes[2_000_000] ^= 1
    let output = try workbench.makeFile("out.bin", bytes)
    let refused = try workbench.run("get", fileID, "--peer", served.address, "-o", "out.bin")
    #expect(refused.code == 73, "\(refused)")
    #expect(
      refused.stderr.lines == ["p2pnode: ./out.bin: exists already; choose another name or use --force to replace it"])
    #expect(FileManager.default.contents(atPath: output).map { Array($0) == bytes } == true)
    let forced = try workbench.run("get", fileID, "--peer", served.address, "-o", "out.bin", "--force")
    #expect(forced.code == 0, "\(forced)")
    #expect(TestFile.areEqual(path, output))
  }

  @Test func `the name is chosen once: the journal's is kept where no other is named`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 80 << 20, "--upload-limit", "20Mi")
    let output = try workbench.makeFolder("output")
    let first = try workbench.start(["get", fileID, "--peer", served.address, "-o", output + "/own.name"])
    try workbench.line(of: first, with: "Chunk 2/80")
    first.signal(SIGKILL)
    try workbench.ended(first)
    let fast = try workbench.serve(workbench.path("served"))
    let second = try workbench.run("get", fileID, "--peer", fast.address, "-o", output)
    #expect(second.code == 0, "\(second)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: output) == ["own.name"])
    #expect(TestFile.areEqual(path, output + "/own.name"))
  }
}
