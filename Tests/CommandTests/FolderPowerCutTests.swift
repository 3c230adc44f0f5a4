// The power fails while a folder is fetched or updated. Each file with its final name is complete, all claimed leaves
// are on the disk, and the next `get` finishes.
//
// P2PNODE_CRASHES=all cuts the power at more moments.
import Foundation
import Testing
import Transfer

@Suite(.enabled(if: Privileges.canMountImages, "no ext4 image can be mounted here"), .serialized)
struct FolderPowerCutTests {
  private let workbench = Workbench()

  /// Two servers of one tree.
  private struct Sources {
    let slow: Served
    let fast: Served
    let id: String
  }

  /// Serves a tree twice: with an upload limit, and without one.
  private func serve(_ tree: Tree, limit: String) throws -> Sources {
    let folder = workbench.path("served")
    try tree.write(to: folder + "/tree")
    let both = try [["--upload-limit", limit], []].map { options in
      let served = try workbench.listen(folder, options)
      try workbench.line(of: served.child, with: "ready: ")
      try workbench.line(of: served.child, on: .stdout, "the folder") { $0.hasSuffix("  tree/") }
      return served
    }
    guard let id = both[0].folderIDs["tree/"] else { throw Unexpected("it has no ID: \(both[0].child)") }
    return Sources(slow: both[0], fast: both[1], id: id)
  }

  private func names(_ folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder)
  }

  /// Continues the download from the disk after a cut. Returns the number of leaves that its journal claims.
  /// - `parts`: the folder that contains the part folder.
  private func check(
    _ moment: String, _ disk: CutDisk, _ served: Sources, _ tree: Tree, parts: String, _ options: [String]
  ) throws -> Int {
    let output = disk.seen(disk.after + "/out")
    let part = FolderPartFolder(path: disk.seen(disk.after + parts), folderID: served.id)
    let claims = part.claims
    let wrong = part.wrongClaims(against: tree, output: output)
    #expect(
      wrong.isEmpty, "\(moment): \(wrong.count) of \(claims.count) claimed leaves are not there: \(wrong.prefix(3))")
    let get = try workbench.ended(
      try workbench.start(
        ["get", served.id, "--peer", served.fast.address, "-o", disk.after + "/out", "--json"] + options,
        through: disk.entering))
    #expect(get.code == 0, "\(moment): \(get)")
    #expect(try Tree(at: output) == tree, "\(moment)")
    let fetched = try #require(try GetEvents(get).number("bytes"))
    #expect(fetched <= tree.byteCount - claims.reduce(0) { $0 + $1.bytes.count }, "\(moment): \(get)")
    #expect(try names(disk.seen(disk.after)).filter { $0.hasSuffix(".p2p-part") } == [], "\(moment)")
    try disk.restore()
    return claims.count
  }

  @Test func `after a power cut a new folder is complete or absent, and the journal's claims are correct`() throws {
    let tree = Tree.sample(largeBytes: 66 << 20)
    let served = try serve(tree, limit: "7Mi")
    let seed = UInt64.random(in: 0 ... .max)
    print("power cuts of a folder: seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    let disk = try CutDisk(workbench, megabytes: 130)
    var claims = 0
    for round in 1...(Extent.isEveryCrash ? 5 : 1) {
      let get = try workbench.start(
        ["get", served.id, "--peer", served.slow.address, "-o", disk.now + "/out"], through: disk.entering)
      let now = FolderPartFolder(path: disk.seen(disk.now), folderID: served.id)
      for cut in 1...4 {
        if cut == 2 { try workbench.wait(for: "a claim") { now.claimedBytes > 0 || get.code != nil } }
        try workbench.wait(forBytes: Int.random(in: 0...5 << 20, using: &generator), writtenBy: get)
        try disk.cut(during: get)
        let moment = "seed \(seed), round \(round), cut \(cut)"
        let isNamed = try names(disk.seen(disk.after)).contains("out")
        if isNamed { #expect(try Tree(at: disk.seen(disk.after + "/out")) == tree, "\(moment)") }
        claims += try check(moment, disk, served, tree, parts: "", isNamed ? ["--update"] : [])
      }
      try workbench.ended(get)
      #expect(get.code == 0, "\(get)")
      try disk.cut()
      #expect(try Tree(at: disk.seen(disk.after + "/out")) == tree, "seed \(seed), round \(round), finished")
      try disk.restore()
      try disk.run("rm -r now/out; sync")
    }
    #expect(claims > 0, "seed \(seed): no cut found a claim")
    print("power cuts of a folder: \(claims) claimed leaves were looked at")
  }

  @Test(.enabled(if: Trace.isHere, "strace is not here"))
  func `after a power cut during an update every file is the old or the new one`() throws {
    let new = Tree.sample(largeBytes: 6 << 20 | 99)
    let old = new.older()
    let served = try serve(new, limit: "4Mi")
    let disk = try CutDisk(workbench, megabytes: 60)
    // Slow enough to cut the power between the renames and removals, which come at the end.
    let slowing = [
      "strace", "-f", "-o", "/dev/null", "-e", "trace=renameat,renameat2,unlinkat", "-e",
      "inject=renameat,renameat2,unlinkat:delay_exit=20000",
    ]
    for round in 1...(Extent.isEveryCrash ? 3 : 1) {
      try old.write(to: disk.seen(disk.now + "/out"))
      try disk.run("sync")
      let get = try workbench.start(
        ["get", served.id, "--peer", served.slow.address, "-o", disk.now + "/out", "--update", "--delete"],
        through: disk.entering + slowing)
      let output = disk.seen(disk.now + "/out")
      for cut in 1...(Extent.isEveryCrash ? 12 : 4) where get.code == nil {
        if cut == 2 {
          try workbench.wait(for: "a file of the new version", checkingEachMilliseconds: 1) {
            FileManager.default.contentsEqual(
              atPath: output + "/large.bin", andPath: workbench.path("served/tree/large.bin")) || get.code != nil
          }
        }
        try workbench.wait(forBytes: 1, writtenBy: get)
        try disk.cut(during: get)
        let moment = "round \(round), cut \(cut)"
        let strange = try Tree(at: disk.seen(disk.after + "/out")).paths(fromNeither: old, nor: new)
        #expect(strange.isEmpty, "\(moment): \(strange)")
        _ = try check(moment, disk, served, new, parts: "/out", ["--update", "--delete"])
      }
      try workbench.ended(get)
      #expect(get.code == 0, "\(get)")
      try disk.cut()
      #expect(try Tree(at: disk.seen(disk.after + "/out")) == new, "round \(round), finished")
      try disk.restore()
      try disk.run("rm -r now/out; sync")
    }
  }
}
