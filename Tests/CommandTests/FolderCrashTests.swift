// `get` of a folder is killed at any moment. No wrong or partial file ever has its final name, and verified leaves are
// not fetched again.
//
// P2PNODE_CRASHES=all kills at 30 moments instead of a few.
import Foundation
import Testing
import Transfer

@Suite(.serialized) struct FolderCrashTests {
  private let workbench = Workbench()
  private let new = Tree.sample(largeBytes: 6 << 20 | 12_345)

  private func serve(_ tree: Tree, _ options: String...) throws -> (served: Served, id: String) {
    try tree.write(to: workbench.path("served/tree"))
    return try serve(options)
  }

  private func serve(_ options: [String]) throws -> (served: Served, id: String) {
    let served = try workbench.listen(workbench.path("served"), options)
    try workbench.line(of: served.child, with: "ready: ")
    try workbench.line(of: served.child, on: .stdout, "the folder") { $0.hasSuffix("  tree/") }
    return (served, served.folderIDs["tree/"]!)
  }

  private func names(_ folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }

  /// Returns the bytes of the chunks that a get reports as verified and written.
  private func verifiedBytes(_ get: Child) throws -> Int {
    try GetEvents(get).named("chunk").reduce(0) { $0 + ($1["bytes"] as? Int ?? 0) }
  }

  // MARK: A new output

  @Test(.enabled(if: Trace.isHere, "strace is not here"))
  func `after a kill at any call a new output is complete or absent, and the next get fetches the rest`() throws {
    let from = try serve(new)
    for (call, numbers) in [
      ("mkdirat", [1, 2, 6]), ("pwrite64", [1, 2, 40]), ("syncfs", [1]), ("fsync", [1, 3]), ("symlinkat", [1, 2, 3]),
      ("renameat2", [1]), ("unlinkat", [1, 2, 4]), ("rmdir", [1]),
    ] {
      var kills = 0
      for number in numbers {
        let output = try workbench.makeFolder("output-\(call)-\(number)")
        let arguments = ["get", from.id, "--peer", from.served.address, "-o", output + "/out", "--json"]
        let trace = Trace.killing(at: call == "rmdir" ? "unlinkat" : call, number: number)
        let killed = try workbench.ended(try workbench.start(arguments, through: trace))
        kills += killed.code == -SIGKILL ? 1 : 0
        let isNamed = try names(output).contains("out")
        if isNamed { #expect(try Tree(at: output + "/out") == new, "\(call) \(number)") }
        let verified = try verifiedBytes(killed)
        let next = try workbench.ended(try workbench.start(arguments + (isNamed ? ["--update"] : [])))
        #expect(next.code == 0, "\(call) \(number): \(next)")
        #expect(try Tree(at: output + "/out") == new, "\(call) \(number)")
        #expect(try names(output) == ["out"], "\(call) \(number)")
        let fetched = try #require(try GetEvents(next).number("bytes"))
        #expect(fetched <= (isNamed ? 0 : new.byteCount - verified), "\(call) \(number): \(next)")
        try FileManager.default.removeItem(atPath: output)
      }
      #expect(kills > 0, "\(call) was never made")
    }
  }

  @Test func `after a kill at random moments no verified chunk of a new folder is fetched again`() throws {
    // Long enough to have a journal.
    let tree = Tree.sample(largeBytes: 66 << 20)
    let slow = try serve(tree, "--upload-limit", "12Mi")
    let output = try workbench.makeFolder("output")
    let arguments = ["get", slow.id, "--peer", slow.served.address, "-o", output + "/out", "--json"]
    var killing = Killing(moments: Extent.isEveryCrash ? 30 : 6, byteCount: tree.byteCount)
    try killing.run(workbench, arguments) { moment in
      if try names(output).contains("out") { #expect(try Tree(at: output + "/out") == tree, "\(moment)") }
    }
    let part = FolderPartFolder(path: output, folderID: slow.id)
    let (claims, claimed) = (part.claims.count, part.claimedBytes)
    let wrong = part.wrongClaims(against: tree, output: output + "/out")
    #expect(wrong.isEmpty, "\(killing): \(wrong.count) of \(claims) claimed leaves are not there")
    let fast = try serve([])
    // The folder may already be complete.
    let options = try names(output).contains("out") ? ["--update"] : []
    let last = try workbench.ended(
      try workbench.start(
        ["get", slow.id, "--peer", fast.served.address, "-o", output + "/out", "--json"] + options))
    #expect(last.code == 0, "\(killing): \(last)")
    #expect(try Tree(at: output + "/out") == tree, "\(killing)")
    #expect(try names(output) == ["out"])
    let fetched = try #require(try GetEvents(last).number("bytes"))
    #expect(fetched <= tree.byteCount - max(claimed, killing.verifiedBytes), "\(killing): \(last)")
    let all = killing.chunks + (try GetEvents(last).chunks)
    #expect(Set(all).count == all.count, "\(killing): fetched twice")
  }

  // MARK: An existing output

  @Test(arguments: [["--update"], ["--update", "--delete"]])
  func `after a kill of an update at random moments every file is the old or the new one`(options: [String]) throws {
    let old = new.older()
    let slow = try serve(new, "--upload-limit", "4Mi")
    let output = workbench.path("out")
    try old.write(to: output)
    // The number of bytes that are fetched if nothing is killed.
    let fast = try serve([])
    let plain = workbench.path("plain")
    try old.write(to: plain)
    let whole = try workbench.ended(
      try workbench.start(["get", fast.id, "--peer", fast.served.address, "-o", plain, "--json"] + options))
    let missing = try #require(try GetEvents(whole).number("bytes"))
    let final = try Tree(at: plain)
    #expect(options.contains("--delete") ? final == new : final.items.count > new.items.count)

    let arguments = ["get", slow.id, "--peer", slow.served.address, "-o", output, "--json"] + options
    var killing = Killing(moments: Extent.isEveryCrash ? 30 : 5, byteCount: 2 * missing)
    try killing.run(workbench, arguments) { moment in
      let strange = try Tree(at: output).paths(fromNeither: old, nor: new)
      #expect(strange.isEmpty, "\(moment): \(strange)")
    }
    let last = try workbench.ended(
      try workbench.start(["get", fast.id, "--peer", fast.served.address, "-o", output, "--json"] + options))
    #expect(last.code == 0, "\(killing): \(last)")
    #expect(try Tree(at: output) == final, "\(killing)")
    #expect(try !names(output).contains { $0.hasSuffix(".p2p-part") })
    let fetched = try #require(try GetEvents(last).number("bytes"))
    #expect(fetched <= missing - killing.verifiedBytes, "\(killing): \(last)")
    let all = killing.chunks + (try GetEvents(last).chunks)
    #expect(Set(all).count == all.count, "\(killing): fetched twice")
  }

  @Test(.enabled(if: Trace.isHere && Privileges.canObeyPermissions, "strace or setpriv is not here"))
  func `an update of read-only files that was killed at its end is completed by the next one`() throws {
    let paths = ["large.bin", "run.sh", "small/1/1", "small/2/2"]
    let old = Tree(new.items.filter { paths.contains($0.key) }.mapValues { _ in .file(Data("read-only".utf8)) })
    let from = try serve(new)
    let output = workbench.path("out")
    try old.write(to: output)
    for path in paths { chmod(output + "/" + path, 0o444) }
    let arguments = ["get", from.id, "--peer", from.served.address, "-o", output, "--update", "--json"]
    // The first rename puts the first new file in place.
    let killed = try workbench.start(
      arguments, through: Privileges.obeyPermissions + Trace.killing(at: "renameat2", number: 1))
    try workbench.ended(killed)
    #expect(killed.code == -SIGKILL, "\(killed)")
    #expect(try Tree(at: output) == old)
    let next = try workbench.ended(try workbench.start(arguments, through: Privileges.obeyPermissions))
    #expect(next.code == 0, "\(next)")
    #expect(try Tree(at: output) == new)
    #expect(try GetEvents(next).number("bytes") == 0, "\(next)")
    for path in paths {
      let mode = try FileManager.default.attributesOfItem(atPath: output + "/" + path)[.posixPermissions] as? Int
      #expect(mode == (path == "run.sh" ? 0o555 : 0o444), "\(path)")
    }
  }
}

/// A download that is killed repeatedly, each time at a random moment.
private struct Killing: CustomStringConvertible {
  let moments: Int
  /// The number of bytes that are written up to about the last moment.
  let byteCount: Int
  private let seed = UInt64.random(in: 0 ... .max)
  /// Chunks that the gets reported as verified and written.
  private(set) var chunks: [Int] = []
  /// The bytes of these chunks. Parts of a chunk may have been there before.
  private(set) var verifiedBytes = 0

  init(moments: Int, byteCount: Int) { (self.moments, self.byteCount) = (moments, byteCount) }

  var description: String { "seed \(seed)" }

  /// - `look`: called after each kill.
  mutating func run(_ workbench: Workbench, _ arguments: [String], look: (String) throws -> Void) throws {
    var generator = SeededGenerator(seed: seed)
    for number in 1...moments {
      let get = try workbench.start(arguments)
      try workbench.wait(forBytes: Int.random(in: 0...2 * byteCount / moments, using: &generator), writtenBy: get)
      get.signal(SIGKILL)
      try workbench.ended(get)
      let events = try GetEvents(get)
      chunks += events.chunks
      verifiedBytes += events.named("chunk").reduce(0) { $0 + ($1["bytes"] as? Int ?? 0) }
      if get.code == 0 { return }
      try look("\(self), kill \(number)")
    }
    #expect(!chunks.isEmpty, "\(self)")
  }
}
