// `get` is killed at any call, or its disk fails. The file becomes right, and claimed leaves are not fetched again.
//
// P2PNODE_CRASHES=all kills at each call of each kind, which takes many minutes.
import Foundation
import Testing
import Transfer

/// A system call at which a crash happens.
private struct Moment: CustomStringConvertible {
  let call: String
  let number: Int
  var description: String { "\(call) \(number)" }

  /// The calls that change the disk, each with the numbers at which to crash. Each thread counts its own calls, so the
  /// last numbers may never be reached.
  static let sample: [(call: String, numbers: [Int])] = [
    ("pwrite64", [1, 2, 17, 150, 300, 500]), ("fdatasync", [1, 2, 3]), ("fsync", [1, 2]), ("fchmod", [1]),
    ("renameat2", [1]), ("unlinkat", [1]),
  ]
  /// After so many runs in a row without a crash, no later number can be reached.
  static let unharmedMax = 8
}

@Suite(.serialized) struct CrashTests {
  private let workbench = Workbench()
  private static let byteCount = (65 << 20) + 70_000

  private func names(_ folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }

  /// A file that a server offers.
  private struct Subject {
    let served: Served
    let fileID: String
    let path: String
    let byteCount: Int
  }

  private func serve(_ byteCount: Int, in folder: String) throws -> Subject {
    let (served, fileID, path) = try workbench.serveFile(byteCount: byteCount, folder: folder)
    return Subject(served: served, fileID: fileID, path: path, byteCount: byteCount)
  }

  /// Returns the number of bytes that the journal beside the part file claims.
  private func claimedBytes(_ fileID: String, in folder: String, byteCount: Int) -> Int {
    PartFolder(path: folder, fileID: fileID, byteCount: byteCount).claimedBytes
  }

  private func done(_ get: Child) throws -> [String: Any] {
    guard get.code == 0, let done = try JSONLines.objects(get.stdout).last, done["event"] as? String == "done" else {
      throw Unexpected("not done: \(get)")
    }
    return done
  }

  @Test(.enabled(if: Trace.isHere, "strace is not here"))
  func `after a kill at any write, sync or rename, the next get completes the correct file`() throws {
    let short = try serve(Self.byteCount, in: "short")
    // Long enough that the journal is synced before the end.
    let long = try serve(2 * Self.byteCount, in: "long")
    for (call, sample) in Moment.sample {
      let subject = call.hasSuffix("sync") ? long : short
      var (number, kills, unharmed) = (0, 0, 0)
      while Extent.isEveryCrash ? unharmed < Moment.unharmedMax : number < sample.count {
        number += 1
        let moment = Moment(call: call, number: Extent.isEveryCrash ? number : sample[number - 1])
        let wasKilled = try kill(at: moment, of: subject)
        kills += wasKilled ? 1 : 0
        unharmed = wasKilled ? 0 : unharmed + 1
      }
      #expect(kills > 0, "\(call) was never made")
      if Extent.isEveryCrash { print("\(call): \(kills) kills, up to number \(number - unharmed)") }
    }
  }

  /// Runs a download that is killed at a call, if it gets there, and then the next. Returns whether it was killed.
  private func kill(at moment: Moment, of subject: Subject) throws -> Bool {
    let (served, fileID, path, byteCount) = (subject.served, subject.fileID, subject.path, subject.byteCount)
    let output = try workbench.makeFolder("output")
    let arguments = ["get", fileID, "--peer", served.address, "-o", output + "/out.bin", "--json"]
    let killed = try workbench.start(arguments, through: Trace.killing(at: moment.call, number: moment.number))
    try workbench.ended(killed)
    let code = try #require(killed.code)
    #expect(moment.number > 1 ? [0, -SIGKILL].contains(code) : code == -SIGKILL, "\(moment): \(killed)")
    let claimed = claimedBytes(fileID, in: output, byteCount: byteCount)
    let wasNamed = try names(output).contains("out.bin")
    let resumed = try workbench.ended(try workbench.start(arguments))
    let stats = try done(resumed)
    #expect(TestFile.areEqual(path, output + "/out.bin"), "\(moment)")
    #expect(try names(output) == ["out.bin"], "\(moment)")
    let fetched = try #require(stats["bytes"] as? Int)
    #expect(fetched <= (wasNamed ? 0 : byteCount - claimed), "\(moment): \(resumed)")
    #expect(stats["found"] as? Bool == wasNamed, "\(moment): \(resumed)")
    try FileManager.default.removeItem(atPath: output)
    return code != 0
  }

  @Test func `a get after a kill does not fetch again the leaves that the journal claims`() throws {
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
  func `a get that a signal ends claims all its verified leaves, and none is fetched again`(signal: Int32) throws {
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
    // One of the four chunks may be the last one, which is short.
    #expect(verified > 3 << 20 && claimed >= verified, "\(claimed) claimed, \(verified) verified")
    let fast = try workbench.serve(workbench.path("served"))
    let stats = try done(try workbench.run("get", fileID, "--peer", fast.address, "-o", output, "--json"))
    #expect(stats["bytes"] as? Int == Self.byteCount - claimed, "\(stats)")
    #expect(TestFile.areEqual(path, output + "/data.bin"))
  }

  @Test func `after a kill at 20 random moments no verified and written chunk is fetched again`() throws {
    let byteCount = 100 << 20 - 12_345
    let (slow, fileID, path) = try workbench.serveFile(byteCount: byteCount, "--upload-limit", "12Mi")
    let output = try workbench.makeFolder("output")
    let seed = UInt64.random(in: 0 ... .max)
    print("killed at random: seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    var fetched: [Int] = []
    for _ in 1...20 {
      let get = try workbench.start(["get", fileID, "--peer", slow.address, "-o", output, "--json"])
      try workbench.wait(forBytes: Int.random(in: 0...7 << 20, using: &generator), writtenBy: get)
      get.signal(SIGKILL)
      try workbench.ended(get)
      #expect(get.code == -SIGKILL, "seed \(seed): \(get)")
      fetched += try GetEvents(get).chunks
    }
    #expect(fetched.count > 10, "seed \(seed)")
    let claimed = claimedBytes(fileID, in: output, byteCount: byteCount)
    let fast = try workbench.serve(workbench.path("served"))
    let last = try workbench.run("get", fileID, "--peer", fast.address, "-o", output, "--json")
    let stats = try done(last)
    #expect(TestFile.areEqual(path, output + "/data.bin"))
    #expect(try names(output) == ["data.bin"])
    // A chunk is printed after it is written, so a killed process loses none of them.
    let all = fetched + (try GetEvents(last).chunks)
    #expect(Set(all).count == all.count, "seed \(seed): fetched twice")
    let bytes = try #require(stats["bytes"] as? Int)
    // The journal may also claim chunks that were printed.
    #expect(bytes <= byteCount - max(claimed, (fetched.count - 1) << 20), "seed \(seed): \(stats)")
  }
}

struct FoundTests {
  private let workbench = Workbench()

  @Test func `get reports a file that is already there and fetches nothing, also with --force`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 3 << 20 | 7)
    let output = try workbench.makeFolder("output")
    #expect(try workbench.run("get", fileID, "--peer", served.address, "-o", output).code == 0)
    let before = try FileManager.default.attributesOfItem(atPath: output + "/data.bin")[.systemFileNumber] as? Int
    for more in [[], ["--force"]] {
      let again = try workbench.start(["get", fileID, "--peer", served.address, "-o", output] + more)
      try workbench.ended(again)
      #expect(again.code == 0, "\(again)")
      #expect(again.stderr.lines == ["[Downloader] Already complete: \(output)/data.bin"], "\(again)")
    }
    let json = try workbench.run("get", fileID, "--peer", served.address, "-o", output, "--json", "--quiet")
    let done = try #require(try JSONLines.objects(json.stdout).last)
    #expect(done["found"] as? Bool == true && done["downloadedChunks"] as? Int == 0 && done["bytes"] as? Int == 0)
    let after = try FileManager.default.attributesOfItem(atPath: output + "/data.bin")[.systemFileNumber] as? Int
    #expect(before == after)
    #expect(TestFile.areEqual(path, output + "/data.bin"))
  }

  @Test func `get exits with 73 if another file of the same length is there, and replaces it with --force`() throws {
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

  @Test func `without a name on the command line, get keeps the name in the journal`() throws {
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
